"""Decodes by ffmpeg what libsndfile does not know: MP4, AAC, ASF (WMA) and Matroska.

ffmpeg opens the one file that it is given and nothing else: demuxers that open other files or addresses by what a file
says (DASH, HLS, concat and their like) are not on its whitelist.
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

from segue.core.errors import AudioUndecodable

# Each holds all of its audio itself. They are the containers that ``containers.needs_ffmpeg`` sends here.
_SELF_CONTAINED = "mov,aac,asf,matroska"
_BLOCK_BYTES = 2**16
# AU: "TAG offset length encoding rate channels", the highest byte of each first, then the samples at the offset.
_AU_HEADER = struct.Struct(">4s5I")
_MAX_HEADER_BYTES = 2**16


@dataclass(frozen=True)
class DecodedStream:
    """Samples that ffmpeg is decoding.

    Attributes:
        rate: sample rate of the file, in Hz.
        channels: number of channels, 1 or above.
        blocks: interleaved samples [n, channels] as 16-bit integers, in order.
    """

    rate: int
    channels: int
    blocks: Iterator[NDArray[np.int16]]


def is_installed() -> bool:
    """Returns whether ffmpeg is on the PATH."""
    return shutil.which("ffmpeg") is not None


@contextmanager
def decode_by_ffmpeg(path: Path) -> Iterator[DecodedStream]:
    """Decodes the first audio stream of a file at its own rate and with its own channels.

    Args:
        path: the file; it must be seekable, since MP4 may have its index at its end.

    Raises:
        AudioUndecodable: ffmpeg refuses the file.
    """
    with subprocess.Popen(
        _command(path), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0
    ) as process:
        try:
            assert process.stdout is not None  # noqa: S101 - it is a pipe
            yield _read_au(process.stdout)
        finally:
            process.kill()


def _command(path: Path) -> list[str]:
    source = ["-format_whitelist", _SELF_CONTAINED, "-protocol_whitelist", "file", "-i", f"file:{path}"]
    # AU says its rate and channels in a header of fixed form, and may be of any length.
    target = ["-map", "0:a:0", "-map_metadata", "-1", "-c:a", "pcm_s16be", "-f", "au", "pipe:1"]
    return ["ffmpeg", "-nostdin", "-v", "quiet", *source, *target]


def _read_au(pipe: IO[bytes]) -> DecodedStream:
    head = b""
    while len(head) < _AU_HEADER.size or len(head) < _samples_at(head):
        block = pipe.read(_BLOCK_BYTES)
        if not block:
            raise AudioUndecodable("ffmpeg cannot decode these bytes. Send WAV, FLAC, Ogg or MP3.")
        head += block
    _, _, _, _, rate, channels = _AU_HEADER.unpack_from(head)
    return DecodedStream(rate, channels, _blocks(head[_samples_at(head) :], pipe, channels))


def _samples_at(head: bytes) -> int:
    """Returns the position of the first sample in an AU file."""
    tag, offset, *_ = _AU_HEADER.unpack_from(head)
    if tag != b".snd" or not _AU_HEADER.size <= offset <= _MAX_HEADER_BYTES:
        raise AudioUndecodable("ffmpeg does not answer as expected. Install a current ffmpeg.")
    return int(offset)


def _blocks(rest: bytes, pipe: IO[bytes], channels: int) -> Iterator[NDArray[np.int16]]:
    while block := pipe.read(_BLOCK_BYTES):
        whole = len(rest + block) // (2 * channels) * 2 * channels
        pcm, rest = (rest + block)[:whole], (rest + block)[whole:]
        yield np.frombuffer(pcm, dtype=">i2").reshape(-1, channels).astype(np.int16)
