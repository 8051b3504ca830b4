"""Decodes with ffmpeg the formats that libsndfile does not know: MP4, AAC, ASF (WMA) and Matroska.

ffmpeg opens only the given file. Demuxers that open other files or URLs named in a file (DASH, HLS, concat and similar)
are not on its whitelist.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from segue.core.errors import AudioUndecodable, WorkerDied

# Containers that hold all of their audio themselves, as ``sniff.needs_ffmpeg`` recognizes them.
_SELF_CONTAINED = "mov,aac,asf,matroska"
_BLOCK_BYTES = 2**16
# AU: magic, offset, length, encoding, rate and channels, big-endian, then the samples at the offset.
_AU_HEADER = struct.Struct(">4s5I")
_MAX_HEADER_BYTES = 2**16


@dataclass(frozen=True)
class DecodedStream:
    """An audio stream that ffmpeg decodes while it is read.

    Attributes:
        rate: sample rate of the file in Hz.
        channels: number of channels, at least 1.
        blocks: samples [n, channels] as 16-bit integers, in order. Raises WorkerDied at its end if ffmpeg was killed.
    """

    rate: int
    channels: int
    blocks: Iterator[NDArray[np.int16]]


def is_installed() -> bool:
    """Returns whether ffmpeg is on the PATH."""
    return shutil.which("ffmpeg") is not None


@contextmanager
def decode_by_ffmpeg(path: Path) -> Iterator[DecodedStream]:
    """Decodes the first audio stream of a file, with its own rate and channels.

    Args:
        path: the file; it must be seekable, because MP4 may have its index at the end.

    Raises:
        AudioUndecodable: ffmpeg cannot decode the file.
    """
    with subprocess.Popen(
        _command(path), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0
    ) as process:
        try:
            yield _read_au(process)
        finally:
            process.kill()


def _command(path: Path) -> list[str]:
    source = ["-format_whitelist", _SELF_CONTAINED, "-protocol_whitelist", "file", "-i", f"file:{path}"]
    # AU has the rate and the channels in a simple header, and may have any length.
    target = ["-map", "0:a:0", "-map_metadata", "-1", "-c:a", "pcm_s16be", "-f", "au", "pipe:1"]
    return ["ffmpeg", "-nostdin", "-v", "quiet", *source, *target]


def _read_au(process: subprocess.Popen[bytes]) -> DecodedStream:
    head, pipe = b"", _output(process)
    while len(head) < _AU_HEADER.size or len(head) < _sample_offset(head):
        block = pipe.read(_BLOCK_BYTES)
        if not block:
            raise AudioUndecodable("ffmpeg cannot decode these bytes. Send WAV, FLAC, Ogg or MP3.")
        head += block
    _, _, _, _, rate, channels = _AU_HEADER.unpack_from(head)
    return DecodedStream(rate, channels, _blocks(head[_sample_offset(head) :], process, channels))


def _output(process: subprocess.Popen[bytes]) -> IO[bytes]:
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    return process.stdout


def _sample_offset(head: bytes) -> int:
    """Returns the position of the first sample in an AU file."""
    magic, offset, *_ = _AU_HEADER.unpack_from(head)
    if magic != b".snd" or not _AU_HEADER.size <= offset <= _MAX_HEADER_BYTES:
        raise AudioUndecodable("The output of ffmpeg is not as expected. Install a current ffmpeg.")
    return int(offset)


def _blocks(data: bytes, process: subprocess.Popen[bytes], channels: int) -> Iterator[NDArray[np.int16]]:
    """Yields the samples of the bytes that came with the header, and of all that follow."""
    frame_bytes = 2 * channels
    while True:
        frames = len(data) // frame_bytes
        if frames:
            yield np.frombuffer(data, dtype=">i2", count=frames * channels).reshape(-1, channels).astype(np.int16)
        block = _output(process).read(_BLOCK_BYTES)
        if not block:
            break
        data = data[frames * frame_bytes :] + block
    if process.wait() < 0:
        raise WorkerDied("ffmpeg was killed before it had decoded the whole file.")
