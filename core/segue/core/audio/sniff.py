"""Recognises audio bytes without decoding them: container, truncation, duration."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import islice

from segue.core.audio.containers import Part, iff_chunks, iso_boxes, riff_chunks
from segue.core.audio.pcm import UNKNOWN_LENGTH
from segue.core.errors import AudioUndecodable

_UNKNOWN_LENGTHS = {0, UNKNOWN_LENGTH, 0x7FFFFFFF, 0xFFFFFFFE}


# An Ogg page is at most this long, its header included.
_OGG_PAGE_BYTES = 27 + 255 + 255 * 255


_OGG_END = 4


# The Xing header stands behind the side information, which is this long by version and number of channels.
_XING_OFFSETS = (36, 21, 13)


# An encoder counts its own first frame among the bytes, or does not.
_MP3_FRAME_BYTES = 2_881


_COMPRESSED_BYTES_A_SECOND = 16_000


# The format stands in front of the sound, and no real file has more in front of it.
_FIRST_PARTS = 64


def needs_ffmpeg(head: bytes) -> bool:
    """Whether the bytes begin like a format that libsndfile does not know and ffmpeg does: MP4, AAC, ASF, Matroska."""
    adts = len(head) > 1 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0
    return head[4:8] == b"ftyp" or adts or head[:4] in {b"\x30\x26\xb2\x75", b"\x1a\x45\xdf\xa3"}


def check_whole(data: memoryview) -> None:
    """Refuses a WAV, AIFF or AU file that was cut off: libsndfile would play what is left of it.

    Raises:
        AudioUndecodable: the header promises more bytes than there are.
    """
    promised = _promised_bytes(data)
    if promised is not None and promised > len(data):
        raise AudioUndecodable(
            f"The file is cut off: its header promises {promised:,} bytes and {len(data):,} are there. Send it whole."
        )


def _promised_bytes(data: memoryview) -> int | None:
    """How long the header says the file is, or None where it does not say."""
    magic, form = bytes(data[:4]), bytes(data[8:12])
    if magic == b"RIFF" and form == b"WAVE":
        return _promised_chunk(riff_chunks(data), b"data")
    if magic == b"FORM" and form in {b"AIFF", b"AIFC"}:
        return _promised_chunk(iff_chunks(data), b"SSND")
    if magic == b".snd" and len(data) >= 12:
        offset, length = struct.unpack_from(">II", data, 4)
        return None if length in _UNKNOWN_LENGTHS else offset + length
    return None


def _promised_chunk(chunks: Iterator[Part], name: bytes) -> int | None:
    for chunk in chunks:
        if chunk.name == name:
            return None if chunk.stop - chunk.start in _UNKNOWN_LENGTHS else chunk.stop
    return None


def ends_early(data: memoryview) -> bool:
    """Whether an Ogg, MP3 or MP4 file was cut off: what is left of it still plays.

    Of an MP3 it is known only where the encoder left a Xing header, as nearly all do.
    """
    head = bytes(data[:8])
    if head[:4] == b"OggS":
        return not _has_last_page(data)
    if head[4:] == b"ftyp":
        return any(box.stop > len(data) for box in iso_boxes(data))
    return _promised_mp3_bytes(data) > len(data)


def _has_last_page(data: memoryview) -> bool:
    """Whether the last page of an Ogg file is there as a whole, and says that it is the last."""
    tail = bytes(data[-2 * _OGG_PAGE_BYTES :])
    start = tail.rfind(b"OggS\0")
    header = tail[start : start + 27]
    if start < 0 or len(header) < 27 or not header[5] & _OGG_END:
        return False
    segments = tail[start + 27 : start + 27 + header[26]]
    return start + 27 + header[26] + sum(segments) <= len(tail)


def _promised_mp3_bytes(data: memoryview) -> int:
    """Where the Xing header of an MP3 file says that its sound ends, less one frame, or 0 where it does not say."""
    start = _id3_bytes(data)
    if bytes(data[start : start + 1]) != b"\xff":
        return 0
    for offset in _XING_OFFSETS:
        name, flags, *counts = struct.unpack(
            ">4s3I", bytes(data[start + offset : start + offset + 16]).ljust(16, b"\0")
        )
        if name in {b"Xing", b"Info"} and flags & 2:
            return start + int(counts[flags & 1]) - _MP3_FRAME_BYTES
    return 0


def _id3_bytes(data: memoryview) -> int:
    """How long the ID3v2 tag in front of an MP3 file is, 0 where there is none."""
    if bytes(data[:3]) != b"ID3" or len(data) < 10:
        return 0
    length = 0
    for byte in data[6:10]:
        length = length << 7 | byte & 0x7F
    return 10 + length


def playing_seconds(data: memoryview) -> float:
    """About how long a file plays, without decoding it.

    WAV and FLAC say it in their headers. All others are taken to have 128 kbit/s, less than most have: longer than they
    are, if anything.
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
    for chunk in islice(riff_chunks(data), _FIRST_PARTS):
        if chunk.name == b"fmt " and chunk.start + 12 <= len(data):
            (rate,) = struct.unpack_from("<I", data, chunk.start + 8)
            return len(data) / rate if rate else 0.0
        if chunk.name == b"data":
            break
    return len(data) / _COMPRESSED_BYTES_A_SECOND
