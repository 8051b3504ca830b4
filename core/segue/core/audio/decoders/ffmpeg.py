"""Decodes with ffmpeg, where it is on the PATH, the files that the other decoders refuse: MP4, AAC, WMA and many more.

ffmpeg opens only the given file. Demuxers that open other files or URLs named in a file (DASH, HLS, concat and similar)
are not on its whitelist.
"""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np

from segue.core.audio.adts_frames import first_adts_frame
from segue.core.audio.decoders.clip_file import ClipFile
from segue.core.audio.decoders.program import ProgramInput, RunningProgram, running_program
from segue.core.audio.samples import DecodedStream, DecoderFailed, Samples
from segue.core.audio.sniff import is_ogg

# Containers that hold all of their audio themselves, and begin with bytes by which they are recognized.
_SELF_CONTAINED = (
    "aac,ac3,adx,aiff,amr,ape,asf,ast,au,avi,caf,dsf,dts,eac3,flac,flv,iff,loas,matroska,mlp,mmf,mov,mp3,mpc,mpc8,mpeg,"
    "mpegts,mxf,nut,ogg,oma,rm,shn,sox,spdif,swf,tak,truehd,tta,voc,w64,wav,wsd,wtv,wv,xwma"
)
# The beginnings of the names of lossless codecs; of quiet music, they may have any bit rate.
_LOSSLESS = (
    "alac",
    "ape",
    "dsd",
    "flac",
    "mlp",
    "mp4als",
    "pcm",
    "shorten",
    "tak",
    "truehd",
    "tta",
    "wavpack",
    "wmalossless",
)
_BLOCK_BYTES = 2**18
# AU: magic, offset, length, encoding, rate and channels, big-endian, then the samples at the offset.
_AU_HEADER = struct.Struct(">4s5I")
_MAX_HEADER_BYTES = 2**16
_FLOAT = 6  # 32-bit floats, among the encodings of AU
_SAMPLE_BYTES = 4


def is_installed() -> bool:
    """Returns whether ffmpeg is on the PATH."""
    return shutil.which("ffmpeg") is not None


@contextmanager
def decode_by_ffmpeg(clip: ClipFile) -> Iterator[DecodedStream]:
    """Decodes the first audio stream of a file, with its own rate and channels.

    Raises:
        DecoderFailed: ffmpeg cannot decode the file, or is not installed.
        WorkerError: ffmpeg did not end by itself.
    """
    if not is_installed():
        raise DecoderFailed("ffmpeg is not on the PATH.")
    with clip.as_path() as source, running_program("ffmpeg", _arguments(source.path, clip), source) as ffmpeg:
        # ffmpeg also reports the headers and tags of joined files; these two formats show themselves what is lost.
        shows_damage = is_ogg(clip.view) or clip.is_mpeg_audio
        met_damage = partial(_met_damage, ffmpeg, is_reliable=not shows_damage)
        yield _read_au(ffmpeg, met_damage, lambda: _is_lossy(source, clip))


def source_options(path: Path, *, with_mp3: bool = True) -> list[str]:
    """Returns the options with which ffmpeg and ffprobe open a file, and nothing that the file may name.

    Args:
        path: the file.
        with_mp3: False for a file that is not MP3; a few bytes that look like it are enough for ffmpeg.
    """
    containers = _SELF_CONTAINED if with_mp3 else _SELF_CONTAINED.replace(",mp3,", ",")
    # One thread: there is a process for each core already.
    return ["-threads", "1", "-format_whitelist", containers, "-protocol_whitelist", "file", "-i", f"file:{path}"]


def _arguments(path: Path, clip: ClipFile) -> list[str]:
    # From the middle of a frame, ffmpeg needs a third of a second to find the next.
    skip = ["-skip_initial_bytes", str(first_adts_frame(clip.view))]
    source = [*skip, *source_options(path, with_mp3=clip.is_mpeg_audio)]
    # AU has the rate and the channels in a simple header, and may have any length.
    target = ["-map", "0:a:0", "-map_metadata", "-1", "-c:a", "pcm_f32be", "-f", "au", "pipe:1"]
    # With a single frame that cannot be decoded, the exit code is not 0.
    return ["-nostdin", "-v", "quiet", "-max_error_rate", "0", *source, *target]


def _is_lossy(source: ProgramInput, clip: ClipFile) -> bool:
    """Returns whether the first audio stream of a file is lossy; False if ffprobe is not installed or fails."""
    if shutil.which("ffprobe") is None:
        return False
    output = ["-v", "quiet", "-of", "json", "-select_streams", "a:0", "-show_entries", "stream=codec_name"]
    arguments = [*output, *source_options(source.path, with_mp3=clip.is_mpeg_audio)]
    with running_program("ffprobe", arguments, source) as ffprobe:
        answer = ffprobe.read_all()
    try:
        streams = json.loads(answer).get("streams", [])
    except ValueError:
        return False
    return any(not stream.get("codec_name", "flac").startswith(_LOSSLESS) for stream in streams)


def _met_damage(ffmpeg: RunningProgram, *, is_reliable: bool) -> bool:
    return ffmpeg.wait() != 0 and is_reliable


def _read_au(ffmpeg: RunningProgram, met_damage: Callable[[], bool], is_lossy: Callable[[], bool]) -> DecodedStream:
    head = b""
    while len(head) < _AU_HEADER.size or len(head) < _sample_offset(head):
        block = ffmpeg.output.read(_BLOCK_BYTES)
        if not block:
            ffmpeg.wait()
            raise DecoderFailed("ffmpeg cannot decode it.")
        head += block
    _, _, _, _, rate, channels = _AU_HEADER.unpack_from(head)
    blocks = _blocks(head[_sample_offset(head) :], ffmpeg, channels)
    return DecodedStream(rate, channels, blocks, met_damage, is_lossy)


def _sample_offset(head: bytes) -> int:
    """Returns the position of the first sample in an AU file."""
    magic, offset, _, encoding, *_ = _AU_HEADER.unpack_from(head)
    if magic != b".snd" or encoding != _FLOAT or not _AU_HEADER.size <= offset <= _MAX_HEADER_BYTES:
        raise DecoderFailed("The output of ffmpeg is not as expected.")
    return int(offset)


def _blocks(data: bytes, ffmpeg: RunningProgram, channels: int) -> Iterator[Samples]:
    """Yields the samples of the bytes that came with the header, and of all that follow.

    Raises:
        WorkerError: at the end, if ffmpeg did not end by itself.
    """
    frame_bytes = _SAMPLE_BYTES * channels
    while True:
        frames = len(data) // frame_bytes
        if frames:
            yield np.frombuffer(data, ">f4", count=frames * channels).reshape(-1, channels).astype(np.float32)
        block = ffmpeg.output.read(_BLOCK_BYTES)
        if not block:
            break
        data = data[frames * frame_bytes :] + block
    ffmpeg.wait()
