"""Reads a track as mono samples at the sample rate of a model, from memory or from a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Protocol

import numpy as np
import soundfile
import soxr

from segue.core.audio.quality import SignalMeter, SourceInfo
from segue.core.audio.samples import DecoderFailed, Samples, SampleSource
from segue.core.errors import AudioUndecodable

# Samples that are decoded at once: 4 MB as float32, whatever rate and number of channels a file has.
_BLOCK_SAMPLES = 2**20
# Floats with the scale of 32-bit integers are accepted. Above this, the powers of a spectrum would overflow.
_MAX_AMPLITUDE = 2.0**32


class AudioSource(SampleSource, Protocol):
    """A track that can be read in parts, with the properties of its file.

    Attributes:
        can_seek: False if reading before the last part decodes the track again.
        seconds: duration of the track.
        info: properties of its file.
    """

    can_seek: bool
    seconds: float
    info: SourceInfo


class ArraySource:
    """A track whose samples are in memory."""

    can_seek = True

    def __init__(self, samples: Samples, seconds: float, info: SourceInfo) -> None:
        self._samples = samples
        self.seconds = seconds
        self.info = info

    @property
    def samples(self) -> int:
        """The number of samples in the track, at the model's rate."""
        return len(self._samples)

    def read(self, start: int, stop: int) -> Samples:
        """Returns the mono samples [stop - start]; outside the track they are 0."""
        inside = self._samples[start:stop]
        return np.pad(inside, (0, stop - start - len(inside)))


class FileSource:
    """A track that libsndfile decodes part by part; each part is resampled on its own."""

    can_seek = True

    def __init__(self, file: soundfile.SoundFile, rate: int, info: SourceInfo) -> None:
        self._file = file
        self._rate = rate
        self.info = info
        self.seconds = file.frames / file.samplerate

    @property
    def samples(self) -> int:
        """The number of samples in the track, at the model's rate."""
        return int(self._file.frames * self._rate // self._file.samplerate)

    def read(self, start: int, stop: int) -> Samples:
        """Returns the mono samples [stop - start]; outside the track they are 0."""
        part, offset = self._read_part(start, stop, _BLOCK_SAMPLES)
        return part.read(start - offset, stop - offset)

    def read_available(self, start: int, stop: int) -> tuple[ArraySource, int]:
        """Reads an incomplete file from ``start`` to its present end, or a little beyond ``stop``.

        Returns:
            The samples, and the position of the first of them in the track.
        """
        # With blocks of one second, at most the last second before the present end is lost.
        return self._read_part(start, stop, self._file.samplerate * self._file.channels, is_incomplete=True)

    def _read_part(
        self, start: int, stop: int, block_samples: int, *, is_incomplete: bool = False
    ) -> tuple[ArraySource, int]:
        first_second, last_second = seconds_around(start, stop, self._rate)
        source_rate = self._file.samplerate
        frames = (last_second - first_second) * source_rate
        blocks = mono_blocks(self._file, first_second * source_rate, frames, self.info.meter, block_samples)
        part = resample_blocks(_until_damage(blocks) if is_incomplete else blocks, self.info, self._rate, frames)
        return part, first_second * self._rate


def seconds_around(start: int, stop: int, rate: int) -> tuple[int, int]:
    """Returns the seconds [first, last) of a track to resample for the samples [start, stop) at ``rate`` Hz.

    A part begins at a whole second, where both rates have a sample. It extends one second further on both sides, so
    that resampling the part gives the same samples as resampling the whole track.
    """
    return max(0, start // rate - 1), -(-stop // rate) + 1


def _until_damage(blocks: Iterator[Samples]) -> Iterator[Samples]:
    with suppress(AudioUndecodable, DecoderFailed):
        yield from blocks


def mono_blocks(
    file: soundfile.SoundFile, start: int, frames: int, meter: SignalMeter, block_samples: int = _BLOCK_SAMPLES
) -> Iterator[Samples]:
    """Yields the frames from ``start`` on, block by block, with their channels averaged.

    Args:
        file: an open file.
        start: number of the first frame.
        frames: number of frames to read; fewer if the file ends before.
        meter: a meter that measures each block.
        block_samples: greatest number of samples in a block, over all channels.

    Raises:
        AudioUndecodable: a sample is not a finite number.
        DecoderFailed: the file is damaged, or has fewer samples than its header says.
    """
    missing = max(0, min(frames, file.frames - start))
    buffer = np.empty((min(missing, max(1, block_samples // file.channels)), file.channels), np.float32)
    try:
        file.seek(min(start, file.frames))
        while missing and len(block := file.read(missing, always_2d=True, out=buffer[:missing])):
            missing -= len(block)
            mono = average_channels(block)
            meter.add(block, mono)
            yield mono
    except soundfile.LibsndfileError as error:
        raise DecoderFailed(str(error.error_string), is_damaged=True) from error
    # FLAC has its exact length; the length of MP3 is an estimate.
    if missing > (0 if file.format == "FLAC" else file.samplerate):
        raise DecoderFailed("The file has fewer samples than its header says.", is_damaged=True)


def average_channels(block: Samples) -> Samples:
    """Returns the mean [n] of the channels [n, channels].

    Raises:
        AudioUndecodable: a sample is not a finite number, or is far beyond full scale.
    """
    channels = block.shape[1]
    with np.errstate(over="ignore", invalid="ignore"):
        # Adding whole columns is twenty times as fast as the mean over such short rows. The block is read into again.
        mono: Samples = block[:, 0].copy()
        for channel in range(1, channels):
            mono += block[:, channel]
        mono /= np.float32(channels)
    if not np.isfinite(mono).all():
        raise AudioUndecodable("The audio has samples that are not finite numbers (NaN or infinity). Export it again.")
    if len(mono) and np.abs(mono).max() > _MAX_AMPLITUDE:
        raise AudioUndecodable("The audio has samples far beyond full scale. Export it again, with samples in [-1, 1].")
    return mono


def resample_blocks(blocks: Iterable[Samples], info: SourceInfo, rate: int, max_samples: int) -> ArraySource:
    """Resamples a stream of blocks; needs memory for the result and one block.

    Args:
        blocks: mono samples at the rate of ``info``, up to ``max_samples`` in total.
        info: properties of the track.
        rate: sample rate of the result in Hz.
        max_samples: greatest number of samples at the rate of ``info``. The operating system provides memory for the
            result only as it is filled.
    """
    stream = soxr.ResampleStream(info.rate, rate, 1, dtype="float32", quality="HQ")
    resampled = np.empty(max_samples * rate // info.rate + 2, np.float32)
    read = filled = 0
    for block in blocks:
        read += len(block)
        filled = _append(resampled, filled, stream.resample_chunk(block))
    filled = _append(resampled, filled, stream.resample_chunk(np.empty(0, np.float32), last=True))
    return ArraySource(resampled[:filled], read / info.rate, info)


def _append(buffer: Samples, filled: int, samples: Samples) -> int:
    buffer[filled : filled + len(samples)] = samples
    return filled + len(samples)
