"""Measures the quality of a signal while it is decoded, and flags what makes a prediction less reliable."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

# The highest value of 16 bits; samples with more bits reach it, too.
FULL_SCALE = 32_767 / 32_768
# A loud master reaches full scale now and then: among 97 clips of GTZAN, the greatest share is 0.0008.
CLIPPED_SHARE = 0.002
# The power of the averaged channels relative to the mean of their powers: at -40 dB hardly any music is left.
_CANCELLED = 1e-4


class Flag(StrEnum):
    """A reason to trust a prediction less."""

    SHORT = "SHORT"
    """The audio has room for only one window."""
    CLIPPED = "CLIPPED"
    """The share of samples at full scale is ``CLIPPED_SHARE`` or above."""
    MOSTLY_SILENT = "MOSTLY_SILENT"
    """More than half of the windows are silent and were left out."""
    LOW_RATE = "LOW_RATE"
    """The audio has a lower sample rate than the model, so the bands above half of it are empty."""
    TRUNCATED = "TRUNCATED"
    """The file was cut off; the rest of it was used."""
    DAMAGED = "DAMAGED"
    """Parts of the file cannot be decoded; the rest of it was used."""
    LOW_BITRATE = "LOW_BITRATE"
    """The audio is lossy, with fewer than 64 kbit/s."""
    LOW_BIT_DEPTH = "LOW_BIT_DEPTH"
    """The audio has fewer than 16 bits in a sample."""


@dataclass(frozen=True)
class FileFlaws:
    """The flaws of a file, apart from those of its signal.

    Attributes:
        truncated: True if the file was cut off.
        damaged: True if parts of the file cannot be decoded.
        missing_seconds: seconds of audio that the file declares and that cannot be decoded; 0 if none or unknown.
        low_bitrate: True if it is lossy and has fewer than 64 kbit/s.
        low_bit_depth: True if it has fewer than 16 bits in a sample.
    """

    truncated: bool = False
    damaged: bool = False
    missing_seconds: float = 0.0
    low_bitrate: bool = False
    low_bit_depth: bool = False


@dataclass(frozen=True)
class Quality:
    """The quality of a clip's signal.

    Attributes:
        source_rate: sample rate of the clip in Hz.
        model_rate: sample rate of the model in Hz.
        windows: number of windows, at least 1.
        silent_windows: number of silent windows, which were left out.
        short: True if the clip has no room for a second window.
        clipped: share of the decoded samples at full scale, [0, 1].
        flaws: flaws of its file.
    """

    source_rate: int
    model_rate: int
    windows: int
    silent_windows: int
    short: bool
    clipped: float
    flaws: FileFlaws = FileFlaws()

    @property
    def flags(self) -> tuple[Flag, ...]:
        """The flags that apply, in the order of ``Flag``."""
        applies = {
            Flag.SHORT: self.short,
            Flag.CLIPPED: self.clipped >= CLIPPED_SHARE,
            Flag.MOSTLY_SILENT: 2 * self.silent_windows > self.windows,
            Flag.LOW_RATE: self.source_rate < self.model_rate,
            Flag.TRUNCATED: self.flaws.truncated,
            Flag.DAMAGED: self.flaws.damaged,
            Flag.LOW_BITRATE: self.flaws.low_bitrate,
            Flag.LOW_BIT_DEPTH: self.flaws.low_bit_depth,
        }
        return tuple(flag for flag, is_set in applies.items() if is_set)


class SignalMeter:
    """Measures the samples of a clip as they are decoded."""

    def __init__(self) -> None:
        self._frames = self._clipped_samples = 0
        self._powers = np.zeros(1)
        self._mono_power = 0.0

    def add(self, block: NDArray[np.float32], mono: NDArray[np.float32]) -> None:
        """Adds a block of samples.

        Args:
            block: samples [n, channels], full scale 1.0.
            mono: mean of the channels [n], full scale 1.0.
        """
        self._frames += len(block)
        # Few blocks reach full scale, and finding the two extremes is faster than comparing every sample.
        if block.size and max(block.max(), -float(block.min())) >= FULL_SCALE:
            self._clipped_samples += int(np.count_nonzero(np.abs(block) >= FULL_SCALE))
        self._add_powers(block, mono)

    @property
    def clipped(self) -> float:
        """The share of the samples at full scale, [0, 1], without the channels that are silent throughout."""
        # The estimated power of a few clicks may be 0, as that of silence.
        channels = max(1, int(np.count_nonzero(self._powers)))
        return min(1.0, self._clipped_samples / max(1, self._frames * channels))

    @property
    def cancelled(self) -> bool:
        """True if the channels cancel each other out when they are averaged."""
        return self._mono_power < _CANCELLED * float(self._powers.mean())

    def _add_powers(self, block: NDArray[np.float32], mono: NDArray[np.float32]) -> None:
        # Every eighth sample is enough for an estimate.
        samples, averaged = block[::8], mono[::8]
        self._powers = self._powers + np.einsum("ij,ij->j", samples, samples)
        self._mono_power += float(np.vdot(averaged, averaged))


@dataclass(frozen=True)
class SourceInfo:
    """The properties of a track's file.

    Attributes:
        rate: sample rate of the file in Hz.
        meter: meter of the samples decoded so far.
        flaws: flaws of the file.
    """

    rate: int
    meter: SignalMeter
    flaws: FileFlaws = FileFlaws()
