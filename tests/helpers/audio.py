"""Encoded audio for tests."""

from __future__ import annotations

import io

import soundfile

from segue.core.audio.samples import Samples


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
