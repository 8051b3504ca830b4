"""Recognizes the truncation and the duration of audio without decoding it."""

from __future__ import annotations

import struct
from itertools import islice
from typing import NamedTuple

from segue.core.audio.containers import MP3_FRAME_BYTES, Bytes, id3_end, iff_chunks, iso_boxes, riff_chunks, xing_header

# If the file is shorter, these lengths mean that it is unknown: the first, and all from the second on, such as
# 0x7FFFF000 and 0xFFFFFFFF.
_UNKNOWN_LENGTH, _LEAST_UNKNOWN_LENGTH = 0x0FFFFFFF, 0x7F000000
# The greatest length of an Ogg page, with its header.
_OGG_PAGE_BYTES = 27 + 255 + 255 * 255
_OGG_END_FLAG = 4
_COMPRESSED_BYTES_A_SECOND = 16_000
# The format comes before the samples, and no real file has more chunks before it.
_MAX_CHUNKS_BEFORE_FORMAT = 64


class _Range(NamedTuple):
    start: int
    stop: int


def missing_share(data: memoryview) -> float:
    """Returns how much audio the header promises beyond the end of the file, relative to the audio that is there.

    It is 0 for whole files, and for those whose header does not say: Ogg, FLAC, Matroska and streams.
    """
    declared = _declared_range(data)
    if declared is None or _is_unknown(declared.stop - declared.start):
        return 0.0
    return max(0, declared.stop - len(data)) / max(1, len(data) - declared.start)


def _is_unknown(length: int) -> bool:
    return length == _UNKNOWN_LENGTH or length >= _LEAST_UNKNOWN_LENGTH


def _declared_range(data: memoryview) -> _Range | None:
    """Returns the range of the audio by the header, or None if it does not say."""
    magic, form = bytes(data[:4]), bytes(data[8:12])
    if magic == b"RIFF" and form == b"WAVE":
        return next((_Range(part.start, part.stop) for part in riff_chunks(data) if part.name == b"data"), None)
    if magic == b"FORM" and form in {b"AIFF", b"AIFC"}:
        return next((_Range(part.start, part.stop) for part in iff_chunks(data) if part.name == b"SSND"), None)
    if magic == b".snd" and len(data) >= 12:
        offset, length = struct.unpack_from(">II", data, 4)
        return _Range(offset, offset + length)
    if bytes(data[4:8]) == b"ftyp":
        return next((_Range(box.start, box.stop) for box in iso_boxes(data) if box.stop > len(data)), None)
    xing = xing_header(data)
    return _Range(start := id3_end(data), start + xing.audio_bytes - MP3_FRAME_BYTES) if xing else None


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


def playing_seconds(data: Bytes) -> float:
    """Estimates the duration of a file in seconds, without decoding it.

    WAV and FLAC have it in their headers. For other formats 128 kbit/s is assumed. Most files have more, so the
    estimate is rather too long than too short.
    """
    if bytes(data[:4]) == b"RIFF" and bytes(data[8:12]) == b"WAVE":
        return _wav_seconds(data)
    return flac_seconds(data) or len(data) / _COMPRESSED_BYTES_A_SECOND


def flac_seconds(data: Bytes) -> float:
    """Returns the duration of a FLAC file by its header; 0 if the header does not have it, or it is no FLAC file."""
    packed = _flac_stream_info(data)
    rate, samples = packed >> 44, packed & (1 << 36) - 1
    return samples / rate if rate else 0.0


def flac_bits(data: Bytes) -> int:
    """Returns the number of bits in a sample of a FLAC file; 0 if it is none."""
    packed = _flac_stream_info(data)
    return (packed >> 36 & 31) + 1 if packed else 0


def _flac_stream_info(data: Bytes) -> int:
    """Returns 20 bits of sample rate, 3 of channels, 5 of depth and 36 of the number of samples; 0 if not FLAC."""
    head = bytes(data[:26])
    return int.from_bytes(head[18:26], "big") if head[:4] == b"fLaC" and len(head) == 26 else 0


def _wav_seconds(data: Bytes) -> float:
    for chunk in islice(riff_chunks(data), _MAX_CHUNKS_BEFORE_FORMAT):
        if chunk.name == b"fmt " and chunk.start + 12 <= len(data):
            (rate,) = struct.unpack("<I", bytes(data[chunk.start + 8 : chunk.start + 12]))
            return len(data) / rate if rate else 0.0
        if chunk.name == b"data":
            break
    return len(data) / _COMPRESSED_BYTES_A_SECOND
