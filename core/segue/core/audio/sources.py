"""Reads a track as mono samples at the rate that a network takes, from memory or from a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Protocol

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from segue.core.audio.quality import SignalMeter, SourceInfo
from segue.core.errors import AudioUndecodable

Samples = NDArray[np.float32]
"""Mono samples [n], full scale 1.0."""

# What is decoded at once: 4 MB as float32, however many channels and whatever rate a file says it has.
_BLOCK_SAMPLES = 2**20
# Floats scaled as 32-bit integers are still taken; beyond this the powers of a spectrum overflow.
_LOUDEST = 2.0**32


class SampleSource(Protocol):
    """A track that can be read in pieces."""

    @property
    def samples(self) -> int:
        """How many samples the track has, at the rate that is asked for."""
        ...

    def read(self, start: int, stop: int) -> Samples:
        """Mono samples [stop - start]; silence where the track has none."""
        ...


class ArraySource:
    """A track whose samples are in memory."""

    def __init__(self, samples: Samples, seconds: float, origin: SourceInfo) -> None:
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

    def __init__(self, file: soundfile.SoundFile, rate: int, origin: SourceInfo) -> None:
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
        blocks = mono_blocks(self._file, first * source_rate, frames, self.origin.meter, block)
        piece = gather(_up_to_damage(blocks) if arriving else blocks, self.origin, self._rate, frames)
        return piece, first * self._rate


def _up_to_damage(blocks: Iterator[Samples]) -> Iterator[Samples]:
    with suppress(AudioUndecodable):
        yield from blocks


def mono_blocks(
    file: soundfile.SoundFile, start: int, frames: int, meter: SignalMeter, block_samples: int = _BLOCK_SAMPLES
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


def gather(blocks: Iterable[Samples], origin: SourceInfo, rate: int, max_samples: int) -> ArraySource:
    """A whole track at ``rate``; of what it is at its own rate, only a block is held at a time.

    Args:
        blocks: mono samples at the rate of ``origin``, up to ``max_samples`` in all.
        origin: what the track is.
        rate: Hz.
        max_samples: largest number of samples at the track's own rate. Memory that is not filled is never touched,
            and so costs nothing.
    """
    stream = soxr.ResampleStream(origin.rate, rate, 1, dtype="float32", quality="HQ")
    gathered = np.empty(max_samples * rate // origin.rate + 2, np.float32)
    taken = filled = 0
    for block in blocks:
        taken += len(block)
        filled = _append(gathered, filled, stream.resample_chunk(block))
    filled = _append(gathered, filled, stream.resample_chunk(np.empty(0, np.float32), last=True))
    return ArraySource(gathered[:filled], taken / origin.rate, origin)


def _append(gathered: Samples, filled: int, samples: Samples) -> int:
    gathered[filled : filled + len(samples)] = samples
    return filled + len(samples)
