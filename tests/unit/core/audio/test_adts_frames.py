from __future__ import annotations

from pathlib import Path

import pytest

from segue.core.audio.adts_frames import first_adts_frame
from segue.core.audio.quality import Flag
from segue.core.features.config import FeatureConfig
from segue.core.features.extract import extract
from segue.core.testing.synthetic_clips import render_clip
from tests.helpers.audio import encode_by_ffmpeg, needs_ffmpeg

# Half a frame may contain the bits of a header: of one with 3,898 bytes, for which ffmpeg skips the true frames.
_FALSE_HEADER = bytes([0xFF, 0xF1, 0x50, 0x80 | 3_898 >> 11, 3_898 >> 3 & 0xFF, (3_898 & 7) << 5 | 0x1F, 0xFC])


@needs_ffmpeg
@pytest.mark.parametrize("start", [b"", bytes(100), _FALSE_HEADER + bytes(200)], ids=["frame", "zeros", "header"])
def test_an_aac_stream_from_the_middle_of_a_frame(start: bytes, tmp_path: Path) -> None:
    """Only the cut frames are missing, and nothing is flagged."""
    audio = encode_by_ffmpeg(render_clip(3, 12.0, 44_100), 44_100, tmp_path / "clip.aac", "-b:a", "96k").read_bytes()
    clip = extract(start + audio[300:], FeatureConfig(), 10)
    assert pytest.approx(12, abs=0.1) == clip.seconds
    assert not {Flag.TRUNCATED, Flag.DAMAGED} & set(clip.quality.flags)


@needs_ffmpeg
@pytest.mark.parametrize("suffix", ["ts", "m4a", "mp3", "aac"])
def test_a_file_that_begins_at_its_beginning(suffix: str, tmp_path: Path) -> None:
    """Nothing is skipped in other containers, or in a whole stream."""
    path = encode_by_ffmpeg(render_clip(3, 12.0), 22_050, tmp_path / f"clip.{suffix}", "-b:a", "32k")
    assert 0 == first_adts_frame(memoryview(path.read_bytes()))
