"""Encoded audio in, mono samples at the rate that is asked for out.

libsndfile decodes WAV, AU, FLAC, Ogg Vorbis, Opus and MP3, and soxr resamples. AAC, WMA and Matroska go to ffmpeg where
it is on the PATH. Of a long track only the pieces that are asked for are decoded.
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
from segue.core.audio.sniff import check_whole, ends_early, needs_ffmpeg
from segue.core.audio.sources import ArraySource, FileSource, Samples, gather, mono_blocks
from segue.core.errors import AudioTooLong, AudioTooShort, AudioUndecodable

MAX_UPLOAD_BYTES = 16 * 2**20
MAX_SECONDS = 4 * 3600
# ffmpeg's output cannot be sought in, so all of it is held in memory, mixed down and at the rate that is asked for:
# 318 MB an hour at 22,050 Hz.
MAX_FFMPEG_SECONDS = 3600
MIN_RATE, MAX_RATE = 4_000, 768_000
MAX_CHANNELS = 8
# Up to here decoding the whole is cheaper than seeking to ten windows.
WHOLE_SECONDS = 60
_INT16 = 2**15


@contextmanager
def open_audio(
    audio: Path | bytes, rate: int, whole_seconds: float = WHOLE_SECONDS
) -> Iterator[ArraySource | FileSource]:
    """Opens a piece of music for reading at ``rate`` Hz.

    Args:
        audio: a file, or the bytes of a whole file.
        rate: the sample rate that ``read`` answers at, in Hz.
        whole_seconds: up to here a track is decoded whole, a longer one piece by piece.

    Raises:
        AudioUndecodable: it is not audio, was cut off, is damaged, or has an impossible rate or number of channels.
        AudioTooLong: it plays longer than ``MAX_SECONDS``, or ``MAX_FFMPEG_SECONDS`` where ffmpeg decodes it.
        AudioTooShort: it holds no sound at all.
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
            # By its descriptor: its name may be no text, and its ending would be believed before its bytes.
            _open(view, audio, file.fileno(), rate, whole_seconds) as source,
        ):
            yield source


@contextmanager
def open_arriving(audio: bytes, rate: int) -> Iterator[FileSource]:
    """Opens what has arrived of a piece of music so far.

    Args:
        audio: the first bytes of a file.
        rate: the sample rate that ``arrived`` answers at, in Hz.

    Raises:
        AudioUndecodable: it is not audio that libsndfile decodes, or not enough of it to tell.
    """
    try:
        file = soundfile.SoundFile(io.BytesIO(audio))
    except soundfile.LibsndfileError as error:
        raise AudioUndecodable("There is nothing yet that can be decoded.") from error
    with file:
        _check_form(file.samplerate, file.channels)
        yield FileSource(file, rate, SourceInfo(file.samplerate, SignalMeter()))


@contextmanager
def _open(
    view: memoryview, audio: Path | bytes, handle: io.BytesIO | int, rate: int, whole_seconds: float
) -> Iterator[ArraySource | FileSource]:
    if len(view) == 0:
        raise AudioUndecodable("There are no bytes. Send a whole audio file.")
    check_whole(view)
    try:
        file = soundfile.SoundFile(handle, closefd=False)
    except soundfile.LibsndfileError as error:
        if needs_ffmpeg(bytes(view[:12])):
            yield _decode_by_ffmpeg(audio, rate, truncated=ends_early(view))
            return
        raise AudioUndecodable(
            "The bytes are not audio that can be decoded here. Send WAV, AU, FLAC, Ogg Vorbis, Opus or MP3."
        ) from error
    with file:
        _check_form(file.samplerate, file.channels)
        _check_length(file)
        origin = SourceInfo(file.samplerate, SignalMeter(), ends_early(view))
        if file.frames <= whole_seconds * file.samplerate:
            yield gather(mono_blocks(file, 0, file.frames, origin.meter), origin, rate, file.frames)
        else:
            yield FileSource(file, rate, origin)


def _check_form(rate: int, channels: int) -> None:
    """Refuses audio that no one listens to.

    Raises:
        AudioUndecodable: the sample rate, in Hz, or the number of channels is impossible.
    """
    if not MIN_RATE <= rate <= MAX_RATE:
        raise AudioUndecodable(
            f"The sample rate of {rate:,} Hz is outside {MIN_RATE:,} to {MAX_RATE:,} Hz. Resample it first."
        )
    if not 1 <= channels <= MAX_CHANNELS:
        raise AudioUndecodable(f"The audio has {channels} channels; at most {MAX_CHANNELS} are taken. Mix it down.")


def _check_length(file: soundfile.SoundFile) -> None:
    if file.frames > MAX_SECONDS * file.samplerate:
        hours = file.frames / file.samplerate / 3600
        raise AudioTooLong(
            f"The audio lasts {hours:.1f} h; at most {MAX_SECONDS // 3600} h are taken. Send a part of it.",
            limit_seconds=MAX_SECONDS,
            actual_seconds=round(3600 * hours),
        )
    if file.frames == 0:
        raise AudioTooShort("The file holds no sound at all. Send a piece of music.")


def _decode_by_ffmpeg(audio: Path | bytes, rate: int, *, truncated: bool) -> ArraySource:
    """Decodes what libsndfile does not know."""
    if not is_installed():
        raise AudioUndecodable(
            "This kind of audio (AAC, WMA or Matroska) needs ffmpeg, which is not on the PATH here. "
            "Install ffmpeg, or send FLAC, WAV, Ogg or MP3."
        )
    if isinstance(audio, Path):
        return _read_ffmpeg(audio, rate, truncated=truncated)
    with _on_disk(audio) as path:
        return _read_ffmpeg(path, rate, truncated=truncated)


@contextmanager
def _on_disk(audio: bytes) -> Iterator[Path]:
    """A file for ffmpeg, which must be able to seek: an MP4 file may have its table of contents at its end.

    On Linux no folder holds it, so that nothing stays when this process is killed.
    """
    descriptors = Path(f"/proc/{os.getpid()}/fd")
    nameless = descriptors.is_dir()
    with tempfile.TemporaryFile() if nameless else tempfile.NamedTemporaryFile(suffix=".audio") as file:
        file.write(audio)
        file.flush()
        yield descriptors / str(file.fileno()) if nameless else Path(file.name)


def _read_ffmpeg(path: Path, rate: int, *, truncated: bool) -> ArraySource:
    with decode_by_ffmpeg(path) as stream:
        _check_form(stream.rate, stream.channels)
        max_samples = MAX_FFMPEG_SECONDS * stream.rate
        origin = SourceInfo(stream.rate, SignalMeter(), truncated)
        return gather(_ffmpeg_mono(stream.blocks, max_samples, origin.meter), origin, rate, max_samples)


def _ffmpeg_mono(blocks: Iterable[NDArray[np.int16]], max_samples: int, meter: SignalMeter) -> Iterator[Samples]:
    """The blocks with their channels averaged; a container need not say how long it is, so samples are counted."""
    for block in blocks:
        max_samples -= len(block)
        if max_samples < 0:
            raise AudioTooLong(
                "AAC, WMA and Matroska audio is taken up to 1 h. Send a part of it, or FLAC or MP3.",
                limit_seconds=MAX_FFMPEG_SECONDS,
            )
        mono = block.mean(axis=1, dtype=np.float32) / np.float32(_INT16)
        meter.see(block, mono, _INT16)
        yield mono
