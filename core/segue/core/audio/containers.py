"""Iterates over the parts of RIFF, IFF, ISO media and Ogg files."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

# Real files stay far below; bytes made of nothing but empty chunks must not keep a processor busy.
_MOST_PARTS = 100_000


class Part(NamedTuple):
    """A named run of bytes in a container; ``stop`` may lie past the end of a file that was cut off."""

    name: bytes
    start: int
    stop: int


def riff_chunks(data: memoryview) -> Iterator[Part]:
    """The chunks of a RIFF file such as WAV, in their order."""
    return _chunks(data, "<4sI")


def iff_chunks(data: memoryview) -> Iterator[Part]:
    """The chunks of an IFF file such as AIFF, in their order."""
    return _chunks(data, ">4sI")


def _chunks(data: memoryview, header: str) -> Iterator[Part]:
    position = 12
    for _ in range(_MOST_PARTS):
        if position + 8 > len(data):
            return
        name, length = struct.unpack_from(header, data, position)
        start = position + 8
        yield Part(name, start, start + length)
        position = start + length + length % 2


def iso_boxes(data: memoryview) -> Iterator[Part]:
    """The outermost boxes of an ISO media file such as MP4, in their order."""
    position = 0
    for _ in range(_MOST_PARTS):
        if position + 8 > len(data):
            return
        length, name = struct.unpack_from(">I4s", data, position)
        header = 8
        if length == 1 and position + 16 <= len(data):
            (length,) = struct.unpack_from(">Q", data, position + 8)
            header = 16
        stop = position + length if length >= header else len(data)
        yield Part(name, position + header, stop)
        position = stop


def ogg_bodies(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    """The pages of an Ogg file: each page's granule position and its body."""
    position = 0
    while position + 27 <= len(data) and bytes(data[position : position + 4]) == b"OggS":
        (granule,) = struct.unpack_from("<q", data, position + 6)
        segments = data[position + 26]
        start = position + 27 + segments
        stop = start + sum(data[position + 27 : start])
        yield granule, data[start:stop]
        position = stop
