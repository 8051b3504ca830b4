"""Describes raw samples, and writes a WAV header for them."""

from __future__ import annotations

import struct
from typing import NamedTuple

# A recorder that cannot seek back writes this in place of the length.
UNKNOWN_LENGTH = 0xFFFFFFFF


class PcmForm(NamedTuple):
    """The form of raw interleaved samples, little-endian and without a header.

    Attributes:
        rate: sample rate in Hz.
        channels: number of channels, at least 1.
        floats: True for 32-bit floats, False for signed 16-bit integers.
    """

    rate: int
    channels: int
    floats: bool


def wav_header(form: PcmForm, length: int | None) -> bytes:
    """Returns the WAV header that raw samples need in front of them.

    Args:
        form: form of the samples.
        length: length of the samples in bytes, or None if it is not known yet.
    """
    sample_bytes = 4 if form.floats else 2
    frame_bytes = sample_bytes * form.channels
    format_tag = 3 if form.floats else 1
    byte_rate = form.rate * frame_bytes
    fmt = struct.pack("<HHIIHH", format_tag, form.channels, form.rate, byte_rate, frame_bytes, 8 * sample_bytes)
    data_bytes = UNKNOWN_LENGTH if length is None else length // frame_bytes * frame_bytes
    file_bytes = UNKNOWN_LENGTH if length is None else data_bytes + 36
    riff = struct.pack("<4sI4s4sI", b"RIFF", file_bytes, b"WAVE", b"fmt ", len(fmt))
    return riff + fmt + struct.pack("<4sI", b"data", data_bytes)
