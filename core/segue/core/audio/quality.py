"""What is seen of the sound while it is decoded, and what that says of the answer's worth."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

# The highest step of 16 bits, which every kind of sample of more bits reaches too.
FULL_SCALE = 32_767 / 32_768
# A loud master touches full scale now and then: of 97 clips of GTZAN the most that one does is 0.0008.
CLIPPED_SHARE = 0.002
# The power of what is left when the channels are averaged, relative to the channels: -40 dB is no music any more.
_CANCELLED = 1e-4


class Flag(StrEnum):
    """A reason to trust an answer less."""

    SHORT = "SHORT"
    """Only one window was heard, since the piece holds no more."""
    CLIPPED = "CLIPPED"
    """At least ``CLIPPED_SHARE`` of the samples are at full scale."""
    MOSTLY_SILENT = "MOSTLY_SILENT"
    """More than half of the windows are silent, and were left out."""
    RESAMPLED = "RESAMPLED"
    """The piece has another rate than the network hears; from a higher one nothing is lost."""
    LOW_RATE = "LOW_RATE"
    """The piece has a lower rate than the network hears, so the bands above half of it are empty."""
    TRUNCATED = "TRUNCATED"
    """The file ends before its container does; what is left was heard."""


@dataclass(frozen=True)
class Quality:
    """How good the sound of a piece is.

    Attributes:
        source_rate: Hz, of the piece as it was sent.
        model_rate: Hz, of the network.
        windows: how many windows were looked at, at least 1.
        silent_windows: how many of them are silent, and were left out.
        clipped: the share of the decoded samples that are at full scale, [0, 1].
        truncated: whether the file ends before its container does.
    """

    source_rate: int
    model_rate: int
    windows: int
    silent_windows: int
    clipped: float
    truncated: bool

    @property
    def flags(self) -> tuple[Flag, ...]:
        """What holds of the piece, in the order of ``Flag``."""
        holds = {
            Flag.SHORT: self.windows == 1,
            Flag.CLIPPED: self.clipped >= CLIPPED_SHARE,
            Flag.MOSTLY_SILENT: 2 * self.silent_windows > self.windows,
            Flag.RESAMPLED: self.source_rate != self.model_rate,
            Flag.LOW_RATE: self.source_rate < self.model_rate,
            Flag.TRUNCATED: self.truncated,
        }
        return tuple(flag for flag, true in holds.items() if true)


class SignalMeter:
    """Watches the samples of a piece as they are decoded."""

    def __init__(self) -> None:
        """Nothing has been seen yet."""
        self._samples = self._full = 0
        self._power = self._mono_power = 0.0

    def see(self, block: NDArray[Any], mono: NDArray[np.float32], scale: int = 1) -> None:
        """Takes note of a block.

        Args:
            block: samples [n, channels] whose full scale is ``scale``.
            mono: the mean of the channels [n], full scale 1.0.
            scale: 1 for floats, 32,768 for integers of 16 bits.
        """
        self._samples += block.size
        full = FULL_SCALE * scale
        # Most blocks never come near, and two extremes are found faster than every sample is compared.
        if block.size and max(block.max(), -float(block.min())) >= full:
            self._full += int(np.count_nonzero(block >= full)) + int(np.count_nonzero(block <= -full))
        self._weigh(block[:, 0], mono, scale)

    @property
    def clipped(self) -> float:
        """The share of the samples that are at full scale, [0, 1]."""
        return self._full / max(1, self._samples)

    @property
    def cancelled(self) -> bool:
        """Whether the channels leave nothing of each other when they are averaged."""
        return self._mono_power < _CANCELLED * self._power

    def _weigh(self, channel: NDArray[Any], mono: NDArray[np.float32], scale: int) -> None:
        # Every eighth sample tells as much, and the first channel stands for all.
        some, mixed = channel[::8].astype(np.float32) / scale, mono[::8]
        self._power += float(np.vdot(some, some))
        self._mono_power += float(np.vdot(mixed, mixed))


@dataclass(frozen=True)
class SourceInfo:
    """What a track was before it became samples.

    Attributes:
        rate: its own sample rate, in Hz.
        meter: what has been seen of its samples so far.
        truncated: whether the file ends before its container does.
    """

    rate: int
    meter: SignalMeter
    truncated: bool = False
