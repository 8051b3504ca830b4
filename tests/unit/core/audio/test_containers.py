from __future__ import annotations

import io
import struct

import pytest
import soundfile

from segue.core.audio.sniff import playing_seconds
from segue.core.testing.synthetic_clips import render_clip


def encoded(rate: int, container: str, subtype: str, seconds: float = 12.5) -> memoryview:
    """A rendered clip."""
    file = io.BytesIO()
    soundfile.write(file, render_clip(1, seconds, rate), rate, format=container, subtype=subtype)
    return memoryview(file.getvalue())


@pytest.mark.parametrize(
    ("rate", "container", "subtype"),
    [(22_050, "WAV", "PCM_16"), (44_100, "WAV", "FLOAT"), (8_000, "FLAC", "PCM_16"), (96_000, "FLAC", "PCM_24")],
)
def test_what_the_header_says(rate: int, container: str, subtype: str) -> None:
    """WAV and FLAC say how long they play, at any rate and depth."""
    assert pytest.approx(12.5, abs=0.01) == playing_seconds(encoded(rate, container, subtype))


@pytest.mark.parametrize("container", ["OGG", "MP3"])
def test_an_estimate(container: str) -> None:
    """What would have to be decoded is judged by its bytes, at 128 kbit/s."""
    audio = encoded(44_100, container, "VORBIS" if container == "OGG" else "MPEG_LAYER_III")
    assert len(audio) / 16_000 == playing_seconds(audio)


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"RIFF",
        b"fLaC" + bytes(40),
        b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0" + bytes(16),
        b"RIFF\0\0\0\0WAVE" + struct.pack("<4sI", b"junk", 0) * 100_000,
    ],
)
def test_headers_that_lie(head: bytes) -> None:
    """A header that says nothing of use makes an estimate of its bytes or nothing, and no error."""
    assert playing_seconds(memoryview(head)) in {0.0, len(head) / 16_000}
