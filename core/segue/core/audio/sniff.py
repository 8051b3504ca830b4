"""Recognizes the container, the truncation and the duration of audio without decoding it."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import islice

from segue.core.audio.containers import Part, id3_end, iff_chunks, iso_boxes, riff_chunks
from segue.core.audio.pcm import UNKNOWN_LENGTH
from segue.core.errors import AudioUndecodable

_UNKNOWN_LENGTHS = {0, UNKNOWN_LENGTH, 0x7FFFFFFF, 0xFFFFFFFE}
# The greatest length of an Ogg page, with its header.
_OGG_PAGE_BYTES = 27 + 255 + 255 * 255
_OGG_END_FLAG = 4
# The Xing header follows the side information, whose length depends on the version and the number of channels.
_XING_OFFSETS = (36, 21, 13)
# Some encoders count their own first frame among the bytes, others do not. This is the greatest length of a frame.
_MP3_FRAME_BYTES = 2_881
_COMPRESSED_BYTES_A_SECOND = 16_000
# The format comes before the samples, and no real file has more chunks before it.
_MAX_CHUNKS_BEFORE_FORMAT = 64


def needs_ffmpeg(head: bytes) -> bool:
    """Returns whether a file begins like a format for ffmpeg: MP4, AAC, ASF or Matroska."""
    is_adts = len(head) > 1 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0
    return head[4:8] == b"ftyp" or is_adts or head[:4] in {b"\x30\x26\xb2\x75", b"\x1a\x45\xdf\xa3"}


def check_complete(data: memoryview) -> None:
    """Checks that a WAV, AIFF or AU file was not cut off: libsndfile would silently decode the rest.

    Raises:
        AudioUndecodable: the file is shorter than its header says.
    """
    declared = _declared_bytes(data)
    if declared is not None and declared > len(data):
        raise AudioUndecodable(
            f"The file is cut off: by its header it has {declared:,} bytes, but there are {len(data):,}. Send it whole."
        )


def _declared_bytes(data: memoryview) -> int | None:
    """Returns the length of the file by its header, or None if the header does not have it."""
    magic, form = bytes(data[:4]), bytes(data[8:12])
    if magic == b"RIFF" and form == b"WAVE":
        return _declared_end(riff_chunks(data), b"data")
    if magic == b"FORM" and form in {b"AIFF", b"AIFC"}:
        return _declared_end(iff_chunks(data), b"SSND")
    if magic == b".snd" and len(data) >= 12:
        offset, length = struct.unpack_from(">II", data, 4)
        return None if length in _UNKNOWN_LENGTHS else offset + length
    return None


def _declared_end(chunks: Iterator[Part], name: bytes) -> int | None:
    for chunk in chunks:
        if chunk.name == name:
            return None if chunk.stop - chunk.start in _UNKNOWN_LENGTHS else chunk.stop
    return None


def is_truncated(data: memoryview) -> bool:
    """Returns whether an Ogg, MP3 or MP4 file was cut off; the rest of it can still be decoded.

    An MP3 file reveals it only by a Xing header, which nearly all encoders write.
    """
    head = bytes(data[:8])
    if head[:4] == b"OggS":
        return not _has_last_page(data)
    if head[4:] == b"ftyp":
        return any(box.stop > len(data) for box in iso_boxes(data))
    return _declared_mp3_bytes(data) > len(data)


def _has_last_page(data: memoryview) -> bool:
    """Returns whether an Ogg file ends with a complete page that is marked as the last."""
    tail = bytes(data[-2 * _OGG_PAGE_BYTES :])
    start = tail.rfind(b"OggS\0")
    header = tail[start : start + 27]
    if start < 0 or len(header) < 27 or not header[5] & _OGG_END_FLAG:
        return False
    segments = tail[start + 27 : start + 27 + header[26]]
    return start + 27 + header[26] + sum(segments) <= len(tail)


def _declared_mp3_bytes(data: memoryview) -> int:
    """Returns the end of an MP3 file's audio by its Xing header, less one frame, or 0 if it has none."""
    start = id3_end(data)
    if bytes(data[start : start + 1]) != b"\xff":
        return 0
    for offset in _XING_OFFSETS:
        name, flags, *counts = struct.unpack(
            ">4s3I", bytes(data[start + offset : start + offset + 16]).ljust(16, b"\0")
        )
        if name in {b"Xing", b"Info"} and flags & 2:
            return start + int(counts[flags & 1]) - _MP3_FRAME_BYTES
    return 0


def playing_seconds(data: memoryview) -> float:
    """Estimates the duration of a file in seconds, without decoding it.

    WAV and FLAC have it in their headers. For other formats 128 kbit/s is assumed. Most files have more, so the
    estimate is rather too long than too short.
    """
    head = bytes(data[:26])
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return _wav_seconds(data)
    if head[:4] == b"fLaC" and len(head) == 26:
        # STREAMINFO: 20 bits of sample rate, 8 of channels and depth, 36 of the number of samples.
        packed = int.from_bytes(head[18:26], "big")
        rate, samples = packed >> 44, packed & (1 << 36) - 1
        if rate and samples:
            return samples / rate
    return len(data) / _COMPRESSED_BYTES_A_SECOND


def _wav_seconds(data: memoryview) -> float:
    for chunk in islice(riff_chunks(data), _MAX_CHUNKS_BEFORE_FORMAT):
        if chunk.name == b"fmt " and chunk.start + 12 <= len(data):
            (rate,) = struct.unpack_from("<I", data, chunk.start + 8)
            return len(data) / rate if rate else 0.0
        if chunk.name == b"data":
            break
    return len(data) / _COMPRESSED_BYTES_A_SECOND
