"""Splits RIFF, IFF, Wave64, ISO media and Ogg files into parts, and finds the headers of FLAC and the tags of MP3."""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Iterator
from typing import NamedTuple, TypeAlias, overload

# Real files have far fewer. Hostile bytes that consist of empty chunks must not keep a processor busy.
_MAX_PARTS = 100_000
MAX_CHUNKS = 1_000
"""Largest number of chunks that are searched for the samples."""
_MAX_TAGS = 100
# Magic and version, flags, position of the last sample, stream, page number and checksum, number of lengths.
_OGG_PAGE = struct.Struct("<5xBq12xB")
_OGG_HEADER_BYTES = _OGG_PAGE.size + 255
_OGG_BLOCK_BYTES = 2**12
# The Xing header follows the side information, whose length depends on the version and the number of channels.
_XING_OFFSETS = (36, 21, 13)
# Some encoders count their own first frame among the bytes, others do not. This is the greatest length of a frame.
MP3_FRAME_BYTES = 2_881


class FileBytes:
    """A part of an open file, which is read when it is needed, by any number of threads.

    It has the methods of ``memoryview`` that the functions below use. A map of the file would kill the process if the
    file became shorter while it is read; here that is an error.
    """

    def __init__(self, descriptor: int, part: range | None = None) -> None:
        """Selects a part of a file.

        Args:
            descriptor: an open file; it stays open while the bytes are in use.
            part: the positions of the bytes, or None for the whole file.

        Raises:
            OSError: the descriptor is not open.
        """
        self._descriptor = descriptor
        self._part = range(os.fstat(descriptor).st_size) if part is None else part

    def __len__(self) -> int:
        return len(self._part)

    @overload
    def __getitem__(self, key: int) -> int: ...

    @overload
    def __getitem__(self, key: slice) -> FileBytes: ...

    def __getitem__(self, key: int | slice) -> int | FileBytes:
        if isinstance(key, slice):
            return FileBytes(self._descriptor, self._part[key])
        position = self._part[key]
        return bytes(FileBytes(self._descriptor, range(position, position + 1)))[0]

    def __iter__(self) -> Iterator[int]:
        return iter(bytes(self))

    def __bytes__(self) -> bytes:
        blocks, position = [], self._part.start
        while position < self._part.stop:
            block = os.pread(self._descriptor, self._part.stop - position, position)
            if not block:
                raise OSError(errno.EIO, "The file became shorter while it was read")
            blocks.append(block)
            position += len(block)
        return b"".join(blocks)


Bytes: TypeAlias = memoryview | FileBytes
"""Bytes in memory, or in a file."""


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


def riff_chunks(data: Bytes) -> Iterator[Part]:
    """Yields the chunks of a RIFF file, such as WAV, in their order."""
    return _chunks(data, "<4sI")


def iff_chunks(data: Bytes) -> Iterator[Part]:
    """Yields the chunks of an IFF file, such as AIFF, in their order."""
    return _chunks(data, ">4sI")


def _chunks(data: Bytes, header_format: str) -> Iterator[Part]:
    position = 12
    for _ in range(_MAX_PARTS):
        if position + 8 > len(data):
            return
        name, length = struct.unpack(header_format, bytes(data[position : position + 8]))
        start = position + 8
        yield Part(name, start, start + length)
        position = start + length + length % 2


def iso_boxes(data: Bytes) -> Iterator[Part]:
    """Yields the outermost boxes of an ISO media file, such as MP4, in their order."""
    position = 0
    for _ in range(_MAX_PARTS):
        if position + 8 > len(data):
            return
        length, name = struct.unpack(">I4s", bytes(data[position : position + 8]))
        header_length = 8
        if length == 1 and position + 16 <= len(data):
            (length,) = struct.unpack(">Q", bytes(data[position + 8 : position + 16]))
            header_length = 16
        stop = position + length if length >= header_length else len(data)
        yield Part(name, position + header_length, stop)
        position = stop


def w64_samples(data: Bytes) -> Part | None:
    """Returns the samples of a Wave64 file, or None if it has none. The 8 bytes before them are a length, plus 24."""
    position = 40  # Each chunk has a name of 16 bytes and a length, which counts both.
    for _ in range(MAX_CHUNKS):
        length = int.from_bytes(bytes(data[position + 16 : position + 24]), "little")
        if bytes(data[position : position + 4]) == b"data":
            return Part(b"data", position + 24, position + length)
        position += max(24, length + -length % 8)
    return None


class FlacInfo(NamedTuple):
    """The properties of a FLAC file by its header; all are 0 if it is none.

    Attributes:
        rate: sample rate in Hz.
        channels: number of channels.
        bits: bits in a sample.
        samples: number of samples in each channel, or 0 if it is unknown.
    """

    rate: int
    channels: int
    bits: int
    samples: int

    @property
    def seconds(self) -> float:
        """Duration in seconds, or 0 if it is unknown."""
        return self.samples / self.rate if self.rate else 0.0


def flac_info(data: Bytes) -> FlacInfo:
    """Returns the properties of a FLAC file."""
    head = bytes(data[:26])
    if head[:4] != b"fLaC" or len(head) < 26:
        return FlacInfo(0, 0, 0, 0)
    # STREAMINFO: 20 bits of sample rate, 3 of channels, 5 of depth, 36 of the number of samples.
    packed = int.from_bytes(head[18:26], "big")
    return FlacInfo(packed >> 44, (packed >> 41 & 7) + 1, (packed >> 36 & 31) + 1, packed & (1 << 36) - 1)


class OggPage(NamedTuple):
    """A page of an Ogg file.

    Attributes:
        start: position of its first byte.
        granule: its granule position.
        is_first: True if it begins a logical stream.
        body: its packets.
    """

    start: int
    granule: int
    is_first: bool
    body: Bytes


def ogg_pages(data: Bytes) -> Iterator[OggPage]:
    """Yields the pages of an Ogg file in their order."""
    position, block, block_start = 0, b"", 0
    while True:
        offset = position - block_start
        if offset + _OGG_HEADER_BYTES > len(block):  # one read for many pages, as hostile files have empty ones only
            offset, block_start, block = 0, position, bytes(data[position : position + _OGG_BLOCK_BYTES])
        if not block.startswith(b"OggS", offset) or offset + _OGG_PAGE.size > len(block):
            return
        flags, granule, segments = _OGG_PAGE.unpack_from(block, offset)
        lengths = block[offset + _OGG_PAGE.size : offset + _OGG_PAGE.size + segments]
        start = position + _OGG_PAGE.size + segments
        stop = start + sum(lengths)
        yield OggPage(position, granule, bool(flags & 2), data[start:stop])
        position = stop


def id3_end(data: Bytes) -> int:
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


class XingHeader(NamedTuple):
    """The header that nearly all encoders write into the first frame of an MP3 file.

    Attributes:
        position: position of its name in the file.
        frames: number of frames without the one that has the header, or 0 if it is not given.
        audio_bytes: length of the file without tags, or 0 if it is not given.
    """

    position: int
    frames: int
    audio_bytes: int


def xing_header(data: Bytes) -> XingHeader | None:
    """Returns the Xing header of an MP3 file, or None if it has none."""
    start = id3_end(data)
    if bytes(data[start : start + 1]) != b"\xff":
        return None
    for offset in _XING_OFFSETS:
        position = start + offset
        name, flags, *counts = struct.unpack(">4s3I", bytes(data[position : position + 16]).ljust(16, b"\0"))
        if name in {b"Xing", b"Info"}:
            frames, audio_bytes = counts[0] if flags & 1 else 0, counts[flags & 1] if flags & 2 else 0
            return XingHeader(position, int(frames), int(audio_bytes))
    return None


def tags_start(data: Bytes) -> int:
    """Returns the start of the ID3v1, APEv2 and Lyrics3 tags at the end of a file."""
    return min((tag.start for tag in trailing_tags(data)), default=len(data))


def trailing_tags(data: Bytes) -> Iterator[Part]:
    """Yields the ID3v1, APEv2 and Lyrics3 tags at the end of a file, the last first.

    They are named TAG, APETAGEX and LYRICS200. An APEv2 tag starts with its header, if it has one.
    """
    stop = len(data)
    for _ in range(_MAX_TAGS):
        name, length = _trailing_tag(data[:stop])
        if length == 0 or length > stop:
            break
        yield Part(name, stop - length, stop)
        stop -= length


def is_tag(data: Bytes) -> bool:
    """Returns whether bytes are nothing but the tags between two joined MP3 files: of an end, then of a start."""
    start = bytes(data).find(b"ID3")
    end, beginning = (data[:start], data[start:]) if start >= 0 else (data, data[:0])
    return tags_start(end) == 0 and id3_end(beginning) == len(beginning)


def _trailing_tag(data: Bytes) -> tuple[bytes, int]:
    """Returns the name and the length of the tag at the end of the bytes; the length is 0 if there is none."""
    if bytes(data[-128:-125]) == b"TAG":
        return b"TAG", 128
    if bytes(data[-32:-24]) == b"APETAGEX":
        size, _, flags = struct.unpack("<III", bytes(data[-20:-8]))
        return b"APETAGEX", int(size) + (32 if flags & 0x80000000 else 0)
    digits = bytes(data[-15:-9])
    if bytes(data[-9:]) == b"LYRICS200" and digits.isdigit():
        return b"LYRICS200", int(digits) + 15
    return b"", 0
