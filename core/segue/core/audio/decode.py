"""Decodes audio to mono samples at a given sample rate.

libsndfile decodes WAV, AU, FLAC, Ogg Vorbis, Opus and MP3, and soxr resamples. ffmpeg decodes AAC, WMA and Matroska if
it is on the PATH. Long tracks are decoded only where they are read.
"""

from __future__ import annotations

import io
import mmap
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from segue.core.audio.ffmpeg import decode_by_ffmpeg, is_installed
from segue.core.audio.quality import SignalMeter, SourceInfo
from segue.core.audio.samples import Samples
from segue.core.audio.sniff import check_complete, is_truncated, needs_ffmpeg
from segue.core.audio.sources import ArraySource, FileSource, mono_blocks, resample_blocks
from segue.core.errors import AudioTooLong, AudioTooShort, AudioUndecodable

MAX_UPLOAD_BYTES = 16 * 2**20
MAX_SECONDS = 4 * 3600
# The output of ffmpeg cannot be sought in. So all of it is kept in memory, as mono at the model's rate: 318 MB for an
# hour at 22,050 Hz.
MAX_FFMPEG_SECONDS = 3600
MIN_RATE, MAX_RATE = 4_000, 768_000
MAX_CHANNELS = 8
# Up to this length, decoding the whole track costs less than seeking to ten windows.
WHOLE_SECONDS = 60
_INT16 = 2**15


@contextmanager
def open_audio(
    audio: Path | bytes, rate: int, whole_seconds: float = WHOLE_SECONDS
) -> Iterator[ArraySource | FileSource]:
    """Opens a clip for reading at ``rate`` Hz.

    Args:
        audio: a file, or the bytes of a whole file.
        rate: sample rate of the samples that ``read`` returns, in Hz.
        whole_seconds: greatest length of a clip that is decoded whole; a longer one is decoded part by part.

    Raises:
        AudioUndecodable: it is not audio, was cut off, is damaged, or has an impossible rate or number of channels.
        AudioTooLong: it is longer than ``MAX_SECONDS``, or than ``MAX_FFMPEG_SECONDS`` if ffmpeg decodes it.
        AudioTooShort: it has no samples.
        OSError: the file cannot be read.
    """
    if isinstance(audio, bytes):
        with _open(memoryview(audio), audio, io.BytesIO(audio), rate, whole_seconds) as source:
            yield source
        return
    with audio.open("rb") as file:
        if audio.stat().st_size == 0:
            raise AudioUndecodable("The file is empty. Send a whole audio file.")
        with (
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
            memoryview(mapped) as view,
            # Opened by its descriptor: the name may not be valid text, and libsndfile would trust its suffix.
            _open(view, audio, file.fileno(), rate, whole_seconds) as source,
        ):
            yield source


@contextmanager
def open_partial(audio: bytes, rate: int) -> Iterator[FileSource]:
    """Opens a clip from the first bytes of its file.

    Args:
        audio: the first bytes of the file.
        rate: sample rate of the samples that ``read_available`` returns, in Hz.

    Raises:
        AudioUndecodable: libsndfile cannot decode the bytes, or needs more of them.
    """
    try:
        file = soundfile.SoundFile(io.BytesIO(audio))
    except soundfile.LibsndfileError as error:
        raise AudioUndecodable("The bytes cannot be decoded yet.") from error
    with file:
        _check_format(file.samplerate, file.channels)
        yield FileSource(file, rate, SourceInfo(file.samplerate, SignalMeter()))


@contextmanager
def _open(
    view: memoryview, audio: Path | bytes, handle: io.BytesIO | int, rate: int, whole_seconds: float
) -> Iterator[ArraySource | FileSource]:
    if len(view) == 0:
        raise AudioUndecodable("There are no bytes. Send a whole audio file.")
    check_complete(view)
    try:
        file = soundfile.SoundFile(handle, closefd=False)
    except soundfile.LibsndfileError as error:
        if needs_ffmpeg(bytes(view[:12])):
            yield _decode_by_ffmpeg(audio, rate, truncated=is_truncated(view))
            return
        raise AudioUndecodable(
            "The bytes are not audio that can be decoded here. Send WAV, AU, FLAC, Ogg Vorbis, Opus or MP3."
        ) from error
    with file:
        _check_format(file.samplerate, file.channels)
        _check_length(file)
        info = SourceInfo(file.samplerate, SignalMeter(), is_truncated(view))
        if file.frames <= whole_seconds * file.samplerate:
            yield resample_blocks(mono_blocks(file, 0, file.frames, info.meter), info, rate, file.frames)
        else:
            yield FileSource(file, rate, info)


def _check_format(rate: int, channels: int) -> None:
    if not MIN_RATE <= rate <= MAX_RATE:
        raise AudioUndecodable(
            f"The sample rate of {rate:,} Hz is outside {MIN_RATE:,} to {MAX_RATE:,} Hz. Resample it first."
        )
    if not 1 <= channels <= MAX_CHANNELS:
        raise AudioUndecodable(f"The audio has {channels} channels; the limit is {MAX_CHANNELS}. Mix it down.")


def _check_length(file: soundfile.SoundFile) -> None:
    if file.frames > MAX_SECONDS * file.samplerate:
        hours = file.frames / file.samplerate / 3600
        raise AudioTooLong(
            f"The audio lasts {hours:.1f} h; the limit is {MAX_SECONDS // 3600} h. Send a part of it.",
            limit_seconds=MAX_SECONDS,
            actual_seconds=round(3600 * hours),
        )
    if file.frames == 0:
        raise AudioTooShort("The file has no samples. Send a clip with music.")


def _decode_by_ffmpeg(audio: Path | bytes, rate: int, *, truncated: bool) -> ArraySource:
    if not is_installed():
        raise AudioUndecodable(
            "This kind of audio (AAC, WMA or Matroska) needs ffmpeg, which is not on the PATH here. "
            "Install ffmpeg, or send FLAC, WAV, Ogg or MP3."
        )
    if isinstance(audio, Path):
        return _read_ffmpeg(audio, rate, truncated=truncated)
    with _temporary_file(audio) as path:
        return _read_ffmpeg(path, rate, truncated=truncated)


@contextmanager
def _temporary_file(audio: bytes) -> Iterator[Path]:
    """Writes a file for ffmpeg, which has to seek: an MP4 file may have its index at the end.

    On Linux the file has no name in any folder, so that it is gone even if this process is killed.
    """
    descriptors = Path(f"/proc/{os.getpid()}/fd")
    is_nameless = descriptors.is_dir()
    with tempfile.TemporaryFile() if is_nameless else tempfile.NamedTemporaryFile(suffix=".audio") as file:
        file.write(audio)
        file.flush()
        yield descriptors / str(file.fileno()) if is_nameless else Path(file.name)


def _read_ffmpeg(path: Path, rate: int, *, truncated: bool) -> ArraySource:
    with decode_by_ffmpeg(path) as stream:
        _check_format(stream.rate, stream.channels)
        max_samples = MAX_FFMPEG_SECONDS * stream.rate
        info = SourceInfo(stream.rate, SignalMeter(), truncated)
        return resample_blocks(_ffmpeg_mono_blocks(stream.blocks, max_samples, info.meter), info, rate, max_samples)


def _ffmpeg_mono_blocks(blocks: Iterable[NDArray[np.int16]], max_samples: int, meter: SignalMeter) -> Iterator[Samples]:
    """Yields blocks with their channels averaged, and counts samples: a container may not have its length."""
    for block in blocks:
        max_samples -= len(block)
        if max_samples < 0:
            raise AudioTooLong(
                f"The limit of AAC, WMA and Matroska audio is {MAX_FFMPEG_SECONDS // 3600} h. Send a part of it, or "
                "FLAC or MP3.",
                limit_seconds=MAX_FFMPEG_SECONDS,
            )
        mono = block.mean(axis=1, dtype=np.float32) / np.float32(_INT16)
        meter.add(block, mono, _INT16)
        yield mono
