"""Recognizes cuts of Ogg and fragmented MP4 files, gaps of Ogg and DTS in WAV, without decoding."""

from __future__ import annotations

import re
import struct
import zlib
from itertools import islice

from segue.core.audio.containers import MAX_CHUNKS, Bytes, iso_boxes, riff_chunks

# The first bytes of a frame: words of 16 bits and of 14 bits, big-endian and little-endian.
_DTS_SYNC = {b"\x7f\xfe\x80\x01", b"\xfe\x7f\x01\x80", b"\x1f\xff\xe8\x00", b"\xff\x1f\x00\xe8"}
# The greatest length of an Ogg page, with its header.
_OGG_PAGE_BYTES = 27 + 255 + 255 * 255
_OGG_PAGE = re.compile(rb"OggS\0")
_OGG_FIRST_FLAG, _OGG_END_FLAG = 2, 4
_REVERSED_BITS = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def is_dts_in_wav(data: Bytes) -> bool:
    """Returns whether the samples of a WAV file are frames of DTS, as those of a DTS CD; as samples they are noise."""
    if bytes(data[:4]) != b"RIFF" or bytes(data[8:12]) != b"WAVE":
        return False
    samples = next((chunk for chunk in islice(riff_chunks(data), MAX_CHUNKS) if chunk.name == b"data"), None)
    return samples is not None and bytes(data[samples.start : samples.start + 4]) in _DTS_SYNC


def is_ogg(data: memoryview) -> bool:
    """Returns whether a file is an Ogg file."""
    return bytes(data[:4]) == b"OggS"


def has_last_page(data: memoryview) -> bool:
    """Returns whether an Ogg file ends with a complete page that is marked as the last."""
    tail = bytes(data[-2 * _OGG_PAGE_BYTES :])
    start = tail.rfind(b"OggS\0")
    header = tail[start : start + 27]
    if start < 0 or len(header) < 27 or not header[5] & _OGG_END_FLAG:
        return False
    segments = tail[start + 27 : start + 27 + header[26]]
    return start + 27 + header[26] + sum(segments) <= len(tail)


def is_cut_in_fragment(data: memoryview) -> bool:
    """Returns whether a fragmented MP4 file ends within a fragment; how many would follow is unknown."""
    if bytes(data[4:8]) != b"ftyp":
        return False
    boxes = list(iso_boxes(data))
    is_fragmented = any(box.name == b"moof" for box in boxes)
    return is_fragmented and boxes[-1].name in {b"moof", b"mdat"} and boxes[-1].stop > len(data)


def lacks_pages(data: memoryview) -> bool:
    """Returns whether a page of an Ogg file is missing or damaged before the last one.

    Each page has a number, and a checksum of its bytes. The pages of joined files are all there.
    """
    numbers: dict[bytes, int] = {}
    position = 0
    while (match := _OGG_PAGE.search(data, position)) is not None:
        header = bytes(data[match.start() : match.start() + 27]).ljust(27, b"\0")
        flags, _, stream, number, checksum, segments = struct.unpack("<5xBq4sIIB", header)
        body = match.start() + 27 + segments
        position = body + sum(data[match.start() + 27 : body])
        if position > len(data):
            return has_last_page(data)  # otherwise this is the last page, which was cut off
        is_next = flags & _OGG_FIRST_FLAG or number == numbers.get(stream, number - 1) + 1
        if not is_next or checksum != _ogg_checksum(data[match.start() : position]):
            return True
        numbers[stream] = number
    return False


def _ogg_checksum(page: memoryview) -> int:
    """Returns the CRC-32 of a page without its own four bytes, by which RFC 3533 means the bits in the other order."""
    content = bytes(page[:22]) + bytes(4) + bytes(page[26:])
    crc = zlib.crc32(content.translate(_REVERSED_BITS), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{crc:032b}"[::-1], 2)
