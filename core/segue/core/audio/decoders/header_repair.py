"""Finds lengths in headers that are false, and the values that let a decoder read all of the file.

A recorder that writes to a pipe cannot go back to fill in the length. Joined MP3 files have the length of the first.
"""

from __future__ import annotations

import struct
from itertools import islice

from segue.core.audio.containers import (
    MAX_CHUNKS,
    MP3_FRAME_BYTES,
    XingHeader,
    id3_end,
    riff_chunks,
    tags_start,
    w64_samples,
    xing_header,
)
from segue.core.audio.decoders.mp3_duration import mp3_seconds
from segue.core.audio.mp3_frames import frames

_MAX_WAV_BYTES = 0xFFFFFFFE
# Damaged frames may be counted or not.
_MAX_ERROR_SECONDS = 0.4
_MAX_ERROR_SHARE = 0.01


def repairs(data: memoryview, *, is_whole: bool = True) -> dict[int, bytes]:
    """Returns the bytes of a header that should be replaced: new values by their positions.

    Args:
        data: all bytes of a file. WAV, RF64, Wave64, AU and MP3 are repaired; other files need no repair.
        is_whole: False if more bytes will come, so that an MP3 is not as long as its header says yet.
    """
    magic, form = bytes(data[:4]), bytes(data[8:12])
    if magic in {b"RIFF", b"RF64"} and form == b"WAVE":
        return _wav_repairs(data, is_rf64=magic == b"RF64")
    if magic == b"riff":
        return _w64_repairs(data)
    if magic == b".snd" and len(data) > 28:
        offset, length = struct.unpack_from(">II", data, 4)
        return {8: b"\xff\xff\xff\xff"} if length == 0 and offset < len(data) else {}
    return _mp3_repairs(data) if is_whole else {}


def is_read_from_memory(data: memoryview) -> bool:
    """Returns whether a decoder reads a repaired file from memory: MP3. The others are read from a file."""
    return bytes(data[:4]) not in {b"RIFF", b"RF64", b"riff", b".snd"}


def _wav_repairs(data: memoryview, *, is_rf64: bool) -> dict[int, bytes]:
    for chunk in islice(riff_chunks(data), MAX_CHUNKS):
        if chunk.name == b"data":
            present, declared = len(data) - chunk.start, chunk.stop - chunk.start
            if is_rf64:
                return _rf64_repairs(data, present)
            is_unknown = declared == 0 and present > 0 and not _continues(data, chunk.start)
            return {chunk.start - 4: struct.pack("<I", present)} if is_unknown and present <= _MAX_WAV_BYTES else {}
    return {}


def _rf64_repairs(data: memoryview, present: int) -> dict[int, bytes]:
    """Returns the true lengths for the ds64 chunk, which is the first."""
    if bytes(data[12:16]) != b"ds64" or len(data) < 36:
        return {}
    (declared,) = struct.unpack_from("<Q", data, 28)
    is_unknown = (declared == 0 and present > 0) or declared > present
    return {20: struct.pack("<QQ", len(data) - 8, present)} if is_unknown else {}


def _w64_repairs(data: memoryview) -> dict[int, bytes]:
    """Returns the true length for the data chunk of a Wave64 file."""
    # The length counts 24 bytes of its chunk before the samples.
    samples = w64_samples(data)
    is_too_long = samples is not None and samples.stop > len(data)
    return {samples.start - 8: struct.pack("<Q", len(data) - samples.start + 24)} if samples and is_too_long else {}


def _continues(data: memoryview, position: int) -> bool:
    """Returns whether chunks follow that end where the file ends: then the one before is truly empty."""
    for _ in range(MAX_CHUNKS):
        if position + 8 > len(data) or not bytes(data[position : position + 4]).strip(b"\0"):
            break
        (length,) = struct.unpack_from("<I", data, position + 4)
        position += 8 + length + length % 2
    return position in {len(data), len(data) + 1}


def _mp3_repairs(data: memoryview) -> dict[int, bytes]:
    """Returns zeros for the name of a Xing header whose lengths are not those of the file; decoders then ignore it."""
    xing = xing_header(data)
    if xing is None:
        return {}
    declared, present = xing.audio_bytes, tags_start(data) - id3_end(data)
    # Files with junk of a few frames at the end are common, and their length is right.
    is_too_long = declared > present + MP3_FRAME_BYTES
    is_too_short = declared and present > 1.02 * declared + MP3_FRAME_BYTES
    return {xing.position: bytes(4)} if is_too_long or is_too_short or _lacks_frames(data, xing) else {}


def _lacks_frames(data: memoryview, xing: XingHeader) -> bool:
    """Returns whether the file has more frames than its Xing header says; fewer frames mean that some are damaged."""
    first = next(frames(data[id3_end(data) :]), None)
    if first is None or not xing.frames:
        return False
    seconds = mp3_seconds(data[xing.position :])
    declared = xing.frames * first.samples / first.rate
    return seconds - declared > max(_MAX_ERROR_SECONDS, _MAX_ERROR_SHARE * seconds)
