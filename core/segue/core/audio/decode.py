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
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from segue.core.audio.containers import check_whole, ends_early, needs_ffmpeg
from segue.core.audio.ffmpeg import decode_by_ffmpeg, is_installed
from segue.core.audio.quality import Meter, Origin
from segue.core.errors import AudioTooLong, AudioTooShort, AudioUndecodable
from segue.core.features.log_mel import Samples

MAX_UPLOAD_BYTES = 16 * 2**20
MAX_SECONDS = 4 * 3600
# ffmpeg's output cannot be sought in, so all of it is held in memory, mixed down and at the rate that is asked for:
# 318 MB an hour at 22,050 Hz.
MAX_FFMPEG_SECONDS = 3600
MIN_RATE, MAX_RATE = 4_000, 768_000
MAX_CHANNELS = 8
# Up to here decoding the whole is cheaper than seeking to ten windows.
WHOLE_SECONDS = 60
# What is decoded at once: 4 MB as float32, however many channels and whatever rate a file says it has.
_BLOCK_SAMPLES = 2**20
# Floats scaled as 32-bit integers are still taken; beyond this the powers of a spectrum overflow.
_LOUDEST = 2.0**32
_INT16 = 2**15


class ArraySource:
    """A track whose samples are in memory."""

    def __init__(self, samples: Samples, seconds: float, origin: Origin) -> None:
        self._samples = samples
        self.seconds = seconds
        self.origin = origin

    @property
    def samples(self) -> int:
        """How many samples the track has."""
        return len(self._samples)

    def read(self, start: int, stop: int) -> Samples:
        """Mono samples [stop - start]; silence where the track has none."""
        inside = self._samples[start:stop]
        return np.pad(inside, (0, stop - start - len(inside)))


class FileSource:
    """A track that libsndfile decodes piece by piece, each resampled on its own."""

    def __init__(self, file: soundfile.SoundFile, rate: int, origin: Origin) -> None:
        self._file = file
        self._rate = rate
        self.origin = origin
        self.seconds = file.frames / file.samplerate

    @property
    def samples(self) -> int:
        """How many samples the track has, at the rate that is asked for."""
        return int(self._file.frames * self._rate // self._file.samplerate)

    def read(self, start: int, stop: int) -> Samples:
        """Mono samples [stop - start]; silence where the track has none."""
        piece, offset = self._piece(start, stop, _BLOCK_SAMPLES)
        return piece.read(start - offset, stop - offset)

    def arrived(self, start: int, stop: int) -> tuple[ArraySource, int]:
        """What there is from ``start`` on of a file that still arrives, up to ``stop`` or a little further.

        Returns:
            The samples, and which sample of the track is the first of them.
        """
        # Second by second: the one in which the file ends for now is lost, and there only.
        return self._piece(start, stop, self._file.samplerate * self._file.channels, arriving=True)

    def _piece(self, start: int, stop: int, block: int, *, arriving: bool = False) -> tuple[ArraySource, int]:
        # Pieces begin at whole seconds, where both rates have a sample, and reach one second further on both sides
        # than is asked for, so that resampling a piece gives the samples of resampling the whole.
        first = max(0, start // self._rate - 1)
        last = -(-stop // self._rate) + 1
        source_rate, frames = self._file.samplerate, (last - first) * self._file.samplerate
        blocks = _mono_blocks(self._file, first * source_rate, frames, self.origin.meter, block)
        piece = _gather(_up_to_damage(blocks) if arriving else blocks, self.origin, self._rate, frames)
        return piece, first * self._rate


def _up_to_damage(blocks: Iterator[Samples]) -> Iterator[Samples]:
    with suppress(AudioUndecodable):
        yield from blocks


def _mono_blocks(
    file: soundfile.SoundFile, start: int, frames: int, meter: Meter, block_samples: int = _BLOCK_SAMPLES
) -> Iterator[Samples]:
    """The frames from ``start`` on with their channels averaged, ``frames`` or as many as there are, block by block.

    Raises:
        AudioUndecodable: the file was cut off, the decoder gives up, or a sample is not a finite number.
    """
    missing = max(0, min(frames, file.frames - start))
    buffer = np.empty((min(missing, max(1, block_samples // file.channels)), file.channels), np.float32)
    try:
        file.seek(min(start, file.frames))
        while missing and len(block := file.read(missing, always_2d=True, out=buffer[:missing])):
            missing -= len(block)
            mono = _mixed_down(block)
            meter.see(block, mono)
            yield mono
    except soundfile.LibsndfileError as error:
        raise AudioUndecodable(f"The audio is damaged: {error.error_string} Send it whole and undamaged.") from error
    # FLAC says exactly how long it is; the length of MP3 and Ogg is an estimate.
    if file.format == "FLAC" and missing:
        raise AudioUndecodable("The file is cut off: it holds less sound than its header promises. Send it whole.")


def _mixed_down(block: Samples) -> Samples:
    """The mean [n] of the channels [n, channels]."""
    mono: Samples = block.mean(axis=1, dtype=np.float32)
    if not np.isfinite(mono).all():
        raise AudioUndecodable(
            "The audio holds samples that are not finite numbers (NaN or infinity). Export it again."
        )
    if len(mono) and np.abs(mono).max() > _LOUDEST:
        raise AudioUndecodable(
            "The audio holds samples far beyond full scale. Export it again, with samples in [-1, 1]."
        )
    return mono


def _gather(blocks: Iterable[Samples], origin: Origin, rate: int, most: int) -> ArraySource:
    """A whole track at ``rate``; of what it is at its own rate, only a block is held at a time.

    Args:
        blocks: mono samples at the rate of ``origin``, up to ``most`` in all.
        origin: what the track is.
        rate: Hz.
        most: the most samples at the track's own rate; memory that is not filled is never touched, and so costs
            nothing.
    """
    stream = soxr.ResampleStream(origin.rate, rate, 1, dtype="float32", quality="HQ")
    gathered = np.empty(most * rate // origin.rate + 2, np.float32)
    taken = filled = 0
    for block in blocks:
        taken += len(block)
        filled = _append(gathered, filled, stream.resample_chunk(block))
    filled = _append(gathered, filled, stream.resample_chunk(np.empty(0, np.float32), last=True))
    return ArraySource(gathered[:filled], taken / origin.rate, origin)


def _append(gathered: Samples, filled: int, samples: Samples) -> int:
    gathered[filled : filled + len(samples)] = samples
    return filled + len(samples)


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
        yield FileSource(file, rate, Origin(file.samplerate, Meter()))


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
        origin = Origin(file.samplerate, Meter(), ends_early(view))
        if file.frames <= whole_seconds * file.samplerate:
            yield _gather(_mono_blocks(file, 0, file.frames, origin.meter), origin, rate, file.frames)
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
        most = MAX_FFMPEG_SECONDS * stream.rate
        origin = Origin(stream.rate, Meter(), truncated)
        return _gather(_ffmpeg_mono(stream.blocks, most, origin.meter), origin, rate, most)


def _ffmpeg_mono(blocks: Iterable[NDArray[np.int16]], most: int, meter: Meter) -> Iterator[Samples]:
    """The blocks with their channels averaged; a container need not say how long it is, so samples are counted."""
    for block in blocks:
        most -= len(block)
        if most < 0:
            raise AudioTooLong(
                "AAC, WMA and Matroska audio is taken up to 1 h. Send a part of it, or FLAC or MP3.",
                limit_seconds=MAX_FFMPEG_SECONDS,
            )
        mono = block.mean(axis=1, dtype=np.float32) / np.float32(_INT16)
        meter.see(block, mono, _INT16)
        yield mono
