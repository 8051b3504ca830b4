"""Estimates the work of analyzing a file from its first bytes."""

from __future__ import annotations

import struct
from itertools import islice

from segue.core.audio.containers import Bytes, flac_info, riff_chunks
from segue.core.audio.limits import WHOLE_SECONDS

_COMPRESSED_BYTES_A_SECOND = 16_000
# The format comes before the samples, and no real file has more chunks before it.
_MAX_CHUNKS_BEFORE_FORMAT = 64
_HEAD_BYTES = 64
# libsndfile reads only the windows of these formats. Those that are not named here are decoded from start to end.
_SEEKABLE = (b"OggS", b"FORM", b".snd", b"RF64", b"riff", b"caff")
# Measured with 30 s of stereo at 44.1 kHz, 30 s of 8 channels, and an hour of AAC.
_SAMPLE_WORK, _OPUS_PAIR_WORK, _STREAM_WORK = 0.4, 2.0, 0.7


def work_seconds(data: Bytes) -> float:
    """Estimates the work of analyzing a file, without decoding it.

    The unit is the work for a second of stereo music at 44.1 kHz, in a file that is decoded whole. The length of WAV
    and FLAC is in their headers. For other formats 128 kbit/s is assumed. Most files have more, so the estimate is
    rather too long than too short.
    """
    head = bytes(data[:_HEAD_BYTES])
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return _read_in_parts(*_wav_format(data))
    if (flac := flac_info(data)).rate:
        return _read_in_parts(flac.seconds or len(data) / _COMPRESSED_BYTES_A_SECOND, flac.rate * flac.channels)
    seconds = len(data) / _COMPRESSED_BYTES_A_SECOND
    if head[28:36] == b"OpusHead" and len(head) > 37:
        # Its many channels are pairs that are decoded and resampled on their own.
        return min(seconds, WHOLE_SECONDS) * max(1, head[37] / 2 * _OPUS_PAIR_WORK)
    if head[:4] in _SEEKABLE or _is_mpeg_audio(head):
        return min(seconds, WHOLE_SECONDS)
    return seconds * _STREAM_WORK


def _read_in_parts(seconds: float, samples_a_second: int) -> float:
    """Returns the work for a file; if it is long, only its windows are read."""
    return min(seconds, WHOLE_SECONDS) * max(1.0, _SAMPLE_WORK * samples_a_second / (2 * 44_100))


def _wav_format(data: Bytes) -> tuple[float, int]:
    """Returns the duration of a WAV file, and its samples a second over all channels."""
    for chunk in islice(riff_chunks(data), _MAX_CHUNKS_BEFORE_FORMAT):
        if chunk.name == b"fmt " and chunk.start + 12 <= len(data):
            channels, rate, byte_rate = struct.unpack("<HII", bytes(data[chunk.start + 2 : chunk.start + 12]))
            return (len(data) / byte_rate if byte_rate else 0.0), rate * channels
        if chunk.name == b"data":
            break
    return len(data) / _COMPRESSED_BYTES_A_SECOND, 0


def _is_mpeg_audio(head: bytes) -> bool:
    """Returns whether a file looks like MP3; the frames of AAC have no layer."""
    return head[:3] == b"ID3" or (head[:1] == b"\xff" and len(head) > 1 and head[1] & 0xE0 == 0xE0 and head[1] & 6 != 0)
