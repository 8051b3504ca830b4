from __future__ import annotations

from pathlib import Path

import pytest

from segue.core.audio.adts_frames import first_adts_frame
from segue.core.features.config import FeatureConfig
from segue.core.features.extract import extract
from segue.core.testing.synthetic_clips import render_clip
from tests.helpers.audio import encode_by_ffmpeg, needs_ffmpeg


@needs_ffmpeg
@pytest.mark.parametrize("cut", [0, 100, 300, 700])
def test_an_aac_stream_from_the_middle_of_a_frame(cut: int, tmp_path: Path) -> None:
    """Only the cut frames are missing."""
    audio = encode_by_ffmpeg(render_clip(3, 12.0, 44_100), 44_100, tmp_path / "clip.aac", "-b:a", "96k").read_bytes()
    clip = extract(audio[cut:], FeatureConfig(), 10)
    assert pytest.approx(12, abs=0.12) == clip.seconds
    assert () == clip.quality.flags


@needs_ffmpeg
@pytest.mark.parametrize("suffix", ["ts", "m4a", "mp3", "aac"])
def test_a_file_that_begins_at_its_beginning(suffix: str, tmp_path: Path) -> None:
    """Nothing is skipped in other containers, or in a whole stream."""
    path = encode_by_ffmpeg(render_clip(3, 12.0), 22_050, tmp_path / f"clip.{suffix}", "-b:a", "32k")
    assert 0 == first_adts_frame(memoryview(path.read_bytes()))
