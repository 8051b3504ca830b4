"""Finds how much audio a file declares to have in its header.

Raw frames (AC-3, AAC, DTS, MPEG-TS) declare nothing, and neither does an MP3 without a Xing header.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Literal, NamedTuple

from segue.core.audio.containers import (
    MAX_CHUNKS,
    MP3_FRAME_BYTES,
    flac_info,
    id3_end,
    iff_chunks,
    iso_boxes,
    riff_chunks,
    w64_samples,
    xing_header,
)

# If the file is shorter, these lengths mean that it is unknown: the first, and all from the second on, such as
# 0x7FFFF000 and 0xFFFFFFFF. Lengths of 64 bits are unknown from the third on, which is more than the longest clip has.
_UNKNOWN_LENGTH, _LEAST_UNKNOWN_LENGTH, _LEAST_UNKNOWN_LONG_LENGTH = 0x0FFFFFFF, 0x7F000000, 2**40
_WAVPACK_RATES = (
    *(6_000, 8_000, 9_600, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 64_000, 88_200, 96_000),
    192_000,
)
_WAVPACK_UNKNOWN = {0, 0xFFFFFFFF}


class ByteRange(NamedTuple):
    """The bytes of a file from ``start`` up to ``stop``, which may be beyond its end."""

    start: int
    stop: int


def declared_seconds(data: memoryview) -> float:
    """Returns the duration in the header of a FLAC, WavPack or TTA file; 0 if it is unknown, or in another file."""
    if len(data) >= 28 and bytes(data[:4]) == b"wvpk":
        # A block header: 4 bytes of the number of all samples at 12, and the flags at 24, with 4 bits of sample rate.
        (samples,), (flags,) = struct.unpack_from("<I", data, 12), struct.unpack_from("<I", data, 24)
        rate = dict(enumerate(_WAVPACK_RATES)).get(flags >> 23 & 15)
        return samples / rate if rate and samples not in _WAVPACK_UNKNOWN else 0.0
    if len(data) >= 18 and bytes(data[:4]) == b"TTA1":
        rate, samples = struct.unpack_from("<II", data, 10)
        return samples / rate if rate else 0.0
    return flac_info(data).seconds


def missing_share(data: memoryview) -> float:
    """Returns how much audio the header declares beyond the end of the file, relative to the audio that is there.

    It is 0 for whole files, and for those whose header does not say how many bytes they have, such as Ogg and FLAC.
    """
    declared = _declared_range(data)
    if declared is None:
        return 0.0
    return max(0, declared.stop - len(data)) / max(1, len(data) - declared.start)


def _declared_range(data: memoryview) -> ByteRange | None:
    """Returns the range of the audio by the header, or None if it does not say."""
    long_range = next((find for magic, find in _LONG_RANGES.items() if bytes(data[: len(magic)]) == magic), None)
    declared = (long_range or _short_range)(data)
    if declared is None:
        return None
    length = declared.stop - declared.start
    if long_range:
        return declared if length < _LEAST_UNKNOWN_LONG_LENGTH else None
    return None if length == _UNKNOWN_LENGTH or length >= _LEAST_UNKNOWN_LENGTH else declared


def _short_range(data: memoryview) -> ByteRange | None:
    """Returns the range in a file whose lengths have 32 bits."""
    magic, form = bytes(data[:4]), bytes(data[8:12])
    if magic == b"RIFF" and form == b"WAVE":
        return next((ByteRange(part.start, part.stop) for part in riff_chunks(data) if part.name == b"data"), None)
    if magic == b"RIFF" and form == b"AVI ":
        return ByteRange(8, 8 + _integer(data, 4, 8, "little"))
    if magic == b"FORM" and form in {b"AIFF", b"AIFC"}:
        return next((ByteRange(part.start, part.stop) for part in iff_chunks(data) if part.name == b"SSND"), None)
    if magic == b".snd" and len(data) >= 12:
        offset, length = struct.unpack_from(">II", data, 4)
        return ByteRange(offset, offset + length)
    if bytes(data[4:8]) == b"ftyp":
        return _iso_range(data)
    xing = xing_header(data)
    return ByteRange(start := id3_end(data), start + xing.audio_bytes - MP3_FRAME_BYTES) if xing else None


def _iso_range(data: memoryview) -> ByteRange | None:
    """Returns a range with all audio that is there and the rest of that which was cut off, or None if none was.

    Only the last box can be cut off. If it has no audio, its length says nothing.
    """
    audio = [box for box in iso_boxes(data) if box.name == b"mdat"]
    present = sum(min(box.stop, len(data)) - box.start for box in audio)
    return ByteRange(len(data) - present, audio[-1].stop) if audio and audio[-1].stop > len(data) else None


def _rf64_range(data: memoryview) -> ByteRange | None:
    start = next((part.start for part in riff_chunks(data) if part.name == b"data"), None)
    # The ds64 chunk, which is the first, has the length of the samples after that of the file.
    if start is None or bytes(data[12:16]) != b"ds64":
        return None
    return ByteRange(start, start + _integer(data, 28, 36, "little"))


def _w64_range(data: memoryview) -> ByteRange | None:
    samples = w64_samples(data)
    return ByteRange(samples.start, samples.stop) if samples else None


def _caf_range(data: memoryview) -> ByteRange | None:
    position = 8  # Each chunk has a name of 4 bytes and a length of 8.
    for _ in range(MAX_CHUNKS):
        length = _integer(data, position + 4, position + 12, "big")
        position += 12
        if bytes(data[position - 12 : position - 8]) == b"data":
            return ByteRange(position, position + length)
        position += length
    return None


def _matroska_range(data: memoryview) -> ByteRange | None:
    """Returns the range of the segment, which follows the header of the file and has everything else."""
    header = _ebml_range(data, 4)
    segment = _ebml_range(data, header.stop + 4) if header else None
    is_segment = header is not None and bytes(data[header.stop : header.stop + 4]) == b"\x18\x53\x80\x67"
    return segment if is_segment else None


def _ebml_range(data: memoryview, position: int) -> ByteRange | None:
    """Returns the content of an element whose length begins at this position, or None if the length is unknown."""
    first = _integer(data, position, position + 1, "big")
    # The leading zeros of the first byte say how many bytes follow; an unknown length has only ones behind them.
    start = position + 9 - first.bit_length()
    most = (1 << 7 * (start - position)) - 1
    length = _integer(data, position, start, "big") & most
    return ByteRange(start, start + length) if first and length != most else None


def _asf_range(data: memoryview) -> ByteRange | None:
    """Returns the range of the data object, which follows the header; both have a name of 16 bytes, then a length."""
    start = _integer(data, 16, 24, "little")
    return ByteRange(start, start + _integer(data, start + 16, start + 24, "little"))


def _integer(data: memoryview, start: int, stop: int, byteorder: Literal["little", "big"]) -> int:
    return int.from_bytes(data[start:stop], byteorder)


_LONG_RANGES: dict[bytes, Callable[[memoryview], ByteRange | None]] = {
    b"RF64": _rf64_range,
    b"riff": _w64_range,
    b"caff": _caf_range,
    b"\x1a\x45\xdf\xa3": _matroska_range,
    b"\x30\x26\xb2\x75": _asf_range,
}
