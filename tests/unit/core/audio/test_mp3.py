"""MP3 files, and files that look like MP3."""

from __future__ import annotations

import struct
from itertools import pairwise

import numpy as np
import pytest

from segue.core.audio.containers import id3_end, xing_header
from segue.core.audio.decoders.clip_file import open_clip_file
from segue.core.audio.mp3_frames import frames
from segue.core.audio.quality import Flag
from segue.core.errors import AudioUndecodable
from segue.core.features.config import FeatureConfig
from segue.core.features.extract import extract
from segue.core.testing.synthetic_clips import render_clip
from tests.helpers.audio import decode, encode

MP3 = encode(render_clip(3, 12.0), container="MP3")
FRAMES = MP3[id3_end(memoryview(MP3)) :]
JUNK = np.random.default_rng(2).bytes(12_000)


@pytest.mark.parametrize("factor", [0.2, 0.8, 1.3, 4])
@pytest.mark.parametrize("seconds", [12, 90])
def test_a_xing_header_with_a_false_number_of_frames(seconds: int, factor: float) -> None:
    """The frames are counted, also if the number of bytes is right."""
    mp3 = bytearray(MP3 if seconds == 12 else encode(render_clip(3, seconds), container="MP3"))
    position = xing_header(memoryview(mp3)).position + 8  # type: ignore[union-attr] # it has one
    (number,) = struct.unpack_from(">I", mp3, position)
    struct.pack_into(">I", mp3, position, int(factor * number))
    clip = extract(bytes(mp3), FeatureConfig(), 10)
    assert pytest.approx(seconds, abs=0.2) == clip.seconds
    assert not {Flag.TRUNCATED, Flag.DAMAGED} & set(clip.quality.flags)


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
    """A file that mostly consists of other bytes is refused as such, not as a short clip."""
    with pytest.raises(AudioUndecodable):
        decode(JUNK + FRAMES[:9_000] + JUNK)


def test_tags_are_no_other_bytes() -> None:
    """A large cover in the tags does not hide that a file is MP3."""
    size = len(JUNK) * 2 + 32
    tag = JUNK * 2 + b"APETAGEX" + (2_000).to_bytes(4, "little") + size.to_bytes(4, "little") + bytes(16)
    for content, is_mp3 in ((FRAMES[:9_000] + tag, True), (FRAMES[:9_000] + JUNK * 2, False)):
        with open_clip_file(content) as clip:
            assert is_mp3 == clip.is_mpeg_audio
