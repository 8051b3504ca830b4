from __future__ import annotations

import os
from pathlib import Path

import pytest
import soundfile

from segue.core.audio.decode import open_audio
from segue.core.errors import AudioUndecodable
from segue.core.testing.synthetic_clips import render_clip


@pytest.mark.parametrize("name", [b"clip.raw", b"clip.mp3", b"clip", b"clip \xff.flac"])
def test_a_file_is_what_its_bytes_are(tmp_path: Path, name: bytes) -> None:
    """A name may lie about the format, have no ending, or be no text at all."""
    path = tmp_path / os.fsdecode(name)
    soundfile.write(tmp_path / "clip.wav", render_clip(0, 1.0), 22_050)
    (tmp_path / "clip.wav").rename(path)

    with open_audio(path, 22_050) as source:
        assert 22_050 == source.samples


def test_an_aiff_that_was_cut_off_is_refused(tmp_path: Path) -> None:
    """Half a file is no short clip."""
    path = tmp_path / "clip.aiff"
    soundfile.write(path, render_clip(0, 1.0), 22_050)
    path.write_bytes(path.read_bytes()[:20_000])

    with pytest.raises(AudioUndecodable, match="cut off"), open_audio(path, 22_050):
        pass
