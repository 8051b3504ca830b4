"""Describes raw samples and writes the WAV header that makes a file of them."""

from __future__ import annotations

import struct
from typing import NamedTuple

# What a recorder that cannot seek back writes in place of a length.
UNKNOWN_LENGTH = 0xFFFFFFFF


class PcmForm(NamedTuple):
    """How samples are written that stand one after the other without a header, the lowest byte of each first.

    Attributes:
        rate: Hz.
        channels: 1 or more.
        floats: whether a sample is a float of 32 bits; else it is an integer of 16.
    """

    rate: int
    channels: int
    floats: bool


def wav_header(form: PcmForm, length: int | None) -> bytes:
    """What makes a WAV file of samples when it stands before them.

    Args:
        form: how the samples are written.
        length: how many bytes they take, or None where that is not known yet.
    """
    width = 4 if form.floats else 2
    frame = width * form.channels
    described = struct.pack(
        "<HHIIHH", 3 if form.floats else 1, form.channels, form.rate, form.rate * frame, frame, 8 * width
    )
    data = UNKNOWN_LENGTH if length is None else length // frame * frame
    file = UNKNOWN_LENGTH if length is None else data + 36
    return (
        struct.pack("<4sI4s4sI", b"RIFF", file, b"WAVE", b"fmt ", 16) + described + struct.pack("<4sI", b"data", data)
    )
