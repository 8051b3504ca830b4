"""Encoded audio for tests."""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path

import pytest
import soundfile

from segue.core.audio.decode import read_audio
from segue.core.audio.samples import Samples

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not on the PATH")


def encode(samples: Samples, rate: int = 22_050, container: str = "WAV", subtype: str | None = None) -> bytes:
    """Returns the bytes of an audio file.

    Args:
        samples: samples [n] or [n, channels], full scale 1.0.
        rate: sample rate in Hz.
        container: format of the file, as libsndfile names it.
        subtype: encoding of the samples, as libsndfile names it, or None for the usual one of the format.
    """
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=container, subtype=subtype)
    return file.getvalue()


def decode(audio: bytes | Path, rate: int = 22_050) -> Samples:
    """Returns all samples of a clip."""
    return read_audio(audio, rate, lambda source: source.read(0, source.samples))


def run_ffmpeg(*arguments: str | Path) -> None:
    """Runs ffmpeg; the last argument is the file that it writes."""
    command = ["ffmpeg", "-v", "error", "-y", *arguments]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def encode_by_ffmpeg(samples: Samples, rate: int, path: Path, *options: str) -> Path:
    """Writes the samples to a file in a format of ffmpeg, and returns its path."""
    wav = path.with_name("clip.wav")
    wav.write_bytes(encode(samples, rate))
    run_ffmpeg("-i", wav, *options, path)
    return path
