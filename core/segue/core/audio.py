"""Encoded audio in, mono samples at the rate that is asked for out.

libsndfile decodes WAV, AU, FLAC, Ogg Vorbis, Opus and MP3, and soxr resamples. AAC, WMA and Matroska go to ffmpeg where
it is on the PATH. Of a long track only the pieces that are asked for are decoded.
"""

from __future__ import annotations

import io
import mmap
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soundfile
import soxr

from segue.core.containers import check_whole, needs_ffmpeg
from segue.core.errors import AudioTooLong, AudioTooShort, AudioUndecodable
from segue.core.features import Samples

MAX_UPLOAD_BYTES = 16 * 2**20
MAX_SECONDS = 4 * 3600
# ffmpeg's output cannot be sought in, so it is held in memory: 318 MB an hour at 22,050 Hz.
MAX_FFMPEG_SECONDS = 3600
MIN_RATE, MAX_RATE = 4_000, 768_000
MAX_CHANNELS = 8
# Up to here decoding the whole is cheaper than seeking to ten windows.
_WHOLE_SECONDS = 60


class ArraySource:
    """A track whose samples are in memory."""

    def __init__(self, samples: Samples, seconds: float) -> None:
        self._samples = samples
        self.seconds = seconds

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

    def __init__(self, file: soundfile.SoundFile, rate: int) -> None:
        self._file = file
        self._rate = rate
        self.seconds = file.frames / file.samplerate

    @property
    def samples(self) -> int:
        """How many samples the track has, at the rate that is asked for."""
        return int(self._file.frames * self._rate // self._file.samplerate)

    def read(self, start: int, stop: int) -> Samples:
        """Mono samples [stop - start]; silence where the track has none."""
        # Pieces begin at whole seconds, where both rates have a sample, and reach one second further on both sides
        # than is asked for, so that resampling a piece gives the samples of resampling the whole.
        first = max(0, start // self._rate - 1)
        last = -(-stop // self._rate) + 1
        piece = read_mono(self._file, first * self._file.samplerate, (last - first) * self._file.samplerate)
        resampled = resample(piece, self._file.samplerate, self._rate)
        offset = start - first * self._rate
        return ArraySource(resampled, 0.0).read(offset, offset + stop - start)


def resample(samples: Samples, rate: int, to: int) -> Samples:
    """Mono samples at another rate, in Hz, by soxr's high quality."""
    if rate == to:
        return samples
    resampled: Samples = soxr.resample(samples, rate, to, quality="HQ").astype(np.float32, copy=False)
    return resampled


def read_mono(file: soundfile.SoundFile, start: int, frames: int) -> Samples:
    """The frames from ``start`` on with their channels averaged, ``frames`` or as many as there are.

    Raises:
        AudioUndecodable: the file was cut off, the decoder gives up, or a sample is not a finite number.
    """
    promised = max(0, min(frames, file.frames - start))
    try:
        file.seek(min(start, file.frames))
        samples = file.read(promised, dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise AudioUndecodable(f"The audio is damaged: {error.error_string} Send it whole and undamaged.") from error
    # FLAC says exactly how long it is; the length of MP3 and Ogg is an estimate.
    if file.format == "FLAC" and len(samples) < promised:
        raise AudioUndecodable("The file is cut off: it holds less sound than its header promises. Send it whole.")
    mono: Samples = samples.mean(axis=1, dtype=np.float32)
    if not np.isfinite(mono).all():
        raise AudioUndecodable(
            "The audio holds samples that are not finite numbers (NaN or infinity). Export it again."
        )
    return mono


@contextmanager
def open_audio(audio: Path | bytes, rate: int) -> Iterator[ArraySource | FileSource]:
    """Opens a piece of music for reading at ``rate`` Hz.

    Args:
        audio: a file, or the bytes of a whole file.
        rate: the sample rate that ``read`` answers at, in Hz.

    Raises:
        AudioUndecodable: it is not audio, was cut off, is damaged, or has an impossible rate or number of channels.
        AudioTooLong: it plays longer than ``MAX_SECONDS``.
        OSError: the file cannot be read.
    """
    if isinstance(audio, bytes):
        with _open(memoryview(audio), audio, io.BytesIO(audio), rate) as source:
            yield source
        return
    with audio.open("rb") as file:
        if audio.stat().st_size == 0:
            raise AudioUndecodable("The file is empty. Send a whole audio file.")
        with (
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
            memoryview(mapped) as view,
            # By its descriptor: its name may be no text, and its ending would be believed before its bytes.
            _open(view, audio, file.fileno(), rate) as source,
        ):
            yield source


@contextmanager
def _open(
    view: memoryview, audio: Path | bytes, handle: io.BytesIO | int, rate: int
) -> Iterator[ArraySource | FileSource]:
    if len(view) == 0:
        raise AudioUndecodable("There are no bytes. Send a whole audio file.")
    check_whole(view)
    try:
        file = soundfile.SoundFile(handle, closefd=False)
    except soundfile.LibsndfileError as error:
        if needs_ffmpeg(bytes(view[:12])):
            yield _decode_by_ffmpeg(audio, rate)
            return
        raise AudioUndecodable(
            "The bytes are not audio that can be decoded here. Send WAV, AU, FLAC, Ogg Vorbis, Opus or MP3."
        ) from error
    with file:
        _check_format(file)
        if file.frames <= _WHOLE_SECONDS * file.samplerate:
            yield _decode_whole(file, rate)
        else:
            yield FileSource(file, rate)


def _check_format(file: soundfile.SoundFile) -> None:
    if not MIN_RATE <= file.samplerate <= MAX_RATE:
        raise AudioUndecodable(
            f"The sample rate of {file.samplerate:,} Hz is outside {MIN_RATE:,} to {MAX_RATE:,} Hz. Resample it first."
        )
    if file.channels > MAX_CHANNELS:
        raise AudioUndecodable(
            f"The audio has {file.channels} channels; at most {MAX_CHANNELS} are taken. Mix it down."
        )
    if file.frames > MAX_SECONDS * file.samplerate:
        hours = file.frames / file.samplerate / 3600
        raise AudioTooLong(
            f"The audio lasts {hours:.1f} h; at most {MAX_SECONDS // 3600} h are taken. Send a part of it."
        )
    if file.frames == 0:
        raise AudioTooShort("The file holds no sound at all. Send at least 3 s.")


def _decode_whole(file: soundfile.SoundFile, rate: int) -> ArraySource:
    samples = read_mono(file, 0, file.frames)
    return ArraySource(resample(samples, file.samplerate, rate), len(samples) / file.samplerate)


def _decode_by_ffmpeg(audio: Path | bytes, rate: int) -> ArraySource:
    """Decodes what libsndfile does not know, through audioread."""
    if shutil.which("ffmpeg") is None:
        raise AudioUndecodable(
            "This kind of audio (AAC, WMA or Matroska) needs ffmpeg, which is not on the PATH here. "
            "Install ffmpeg, or send FLAC, WAV, Ogg or MP3."
        )
    if isinstance(audio, Path):
        return _read_ffmpeg(audio, rate)
    # ffmpeg must be able to seek: an MP4 file may have its table of contents at its end.
    with tempfile.NamedTemporaryFile(suffix=".audio") as file:
        file.write(audio)
        file.flush()
        return _read_ffmpeg(Path(file.name), rate)


def _read_ffmpeg(path: Path, rate: int) -> ArraySource:
    from audioread import DecodeError  # noqa: PLC0415 - only this rare path needs it
    from audioread.ffdec import FFmpegAudioFile  # noqa: PLC0415 - likewise

    try:
        with FFmpegAudioFile(str(path)) as file:
            if file.duration > MAX_FFMPEG_SECONDS:
                raise AudioTooLong("AAC, WMA and Matroska audio is taken up to 1 h. Send a part of it, or FLAC or MP3.")
            pcm = np.frombuffer(b"".join(file), dtype="<i2").reshape(-1, file.channels)
            source_rate = file.samplerate
    except (DecodeError, ValueError) as error:
        raise AudioUndecodable("ffmpeg cannot decode these bytes. Send WAV, FLAC, Ogg or MP3.") from error
    mono = pcm.mean(axis=1, dtype=np.float32) / np.float32(32_768)
    return ArraySource(resample(mono, source_rate, rate), len(mono) / source_rate)
