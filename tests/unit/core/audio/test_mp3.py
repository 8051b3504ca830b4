"""MP3 files, and files that look like MP3."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from segue.core.audio.containers import id3_end
from segue.core.audio.mp3_frames import frames, is_mpeg_audio
from segue.core.errors import AudioUndecodable
from segue.core.testing.synthetic_clips import render_clip
from tests.helpers.audio import decode, encode

MP3 = encode(render_clip(3, 12.0), container="MP3")
FRAMES = MP3[id3_end(memoryview(MP3)) :]
JUNK = np.random.default_rng(2).bytes(12_000)


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 32_000, 44_100, 48_000])
def test_frames_are_counted(rate: int) -> None:
    """The frames of a whole file have all of its bytes and its length, in every version of MPEG."""
    data = encode(render_clip(1, 5.0, rate), rate, container="MP3")
    found = list(frames(memoryview(data)[id3_end(memoryview(data)) :]))
    assert {rate} == {frame.rate for frame in found}
    assert pytest.approx(5, abs=0.3) == sum(frame.samples for frame in found) / rate
    assert all(before.stop == after.position for before, after in pairwise(found))


def test_frames_between_junk() -> None:
    """Frames in a row are found between bytes that are none."""
    found = list(frames(memoryview(JUNK + FRAMES[:20_000] + JUNK)))
    assert len(JUNK) == found[0].position
    assert pytest.approx(20_000, abs=1_500) == found[-1].stop - len(JUNK)


def test_a_program_that_contains_a_little_mp3_is_not_audio() -> None:
    """What mostly consists of other bytes is refused as such, not as a short clip."""
    with pytest.raises(AudioUndecodable):
        decode(JUNK + FRAMES[:9_000] + JUNK)


def test_tags_are_no_other_bytes() -> None:
    """A large cover in tags at both ends does not hide that a file is MP3."""
    size = len(JUNK) * 2 + 32
    tag = JUNK * 2 + b"APETAGEX" + (2_000).to_bytes(4, "little") + size.to_bytes(4, "little") + bytes(16)
    assert is_mpeg_audio(memoryview(MP3[:20_000] + tag))
    assert not is_mpeg_audio(memoryview(MP3[:20_000] + JUNK * 2))
