"""Splits RIFF, IFF, ISO media and Ogg files into their parts, and measures ID3v2 tags."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

# Real files have far fewer. Hostile bytes that consist of empty chunks must not keep a processor busy.
_MAX_PARTS = 100_000
_MAX_TAGS = 100


class Part(NamedTuple):
    """A named range of bytes in a container.

    Attributes:
        name: name of the part.
        start: position of its first byte.
        stop: position after its last byte; past the end of the file if that was cut off.
    """

    name: bytes
    start: int
    stop: int


def riff_chunks(data: memoryview) -> Iterator[Part]:
    """Yields the chunks of a RIFF file, such as WAV, in their order."""
    return _chunks(data, "<4sI")


def iff_chunks(data: memoryview) -> Iterator[Part]:
    """Yields the chunks of an IFF file, such as AIFF, in their order."""
    return _chunks(data, ">4sI")


def _chunks(data: memoryview, header_format: str) -> Iterator[Part]:
    position = 12
    for _ in range(_MAX_PARTS):
        if position + 8 > len(data):
            return
        name, length = struct.unpack_from(header_format, data, position)
        start = position + 8
        yield Part(name, start, start + length)
        position = start + length + length % 2


def iso_boxes(data: memoryview) -> Iterator[Part]:
    """Yields the outermost boxes of an ISO media file, such as MP4, in their order."""
    position = 0
    for _ in range(_MAX_PARTS):
        if position + 8 > len(data):
            return
        length, name = struct.unpack_from(">I4s", data, position)
        header_length = 8
        if length == 1 and position + 16 <= len(data):
            (length,) = struct.unpack_from(">Q", data, position + 8)
            header_length = 16
        stop = position + length if length >= header_length else len(data)
        yield Part(name, position + header_length, stop)
        position = stop


def ogg_bodies(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yields the granule position and the body of each page of an Ogg file."""
    position = 0
    while position + 27 <= len(data) and bytes(data[position : position + 4]) == b"OggS":
        (granule,) = struct.unpack_from("<q", data, position + 6)
        segments = data[position + 26]
        start = position + 27 + segments
        stop = start + sum(data[position + 27 : start])
        yield granule, data[start:stop]
        position = stop


def id3_end(data: memoryview) -> int:
    """Returns the end of the ID3v2 tags at the start of a file."""
    position = 0
    for _ in range(_MAX_TAGS):
        if bytes(data[position : position + 3]) != b"ID3" or position + 10 > len(data):
            break
        footer = 10 if data[position + 5] & 0x10 else 0
        size = 0
        for byte in data[position + 6 : position + 10]:
            size = size << 7 | byte & 0x7F
        position += 10 + size + footer
    return position
