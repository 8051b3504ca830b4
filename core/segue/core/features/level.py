"""Brings clips to one level, so that a network does not depend on how loud a recording is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from segue.core.features.config import FeatureConfig

# 8 steps of 16-bit audio: less than the noise of any recording, more than dither.
SILENCE_RMS = 2.5e-4
# The distance of SILENCE_RMS from the level of most recordings, 55 dB below -17 dBFS.
_SILENCE_SHARE = 10 ** (-55 / 20)


@dataclass(frozen=True)
class Loudness:
    """The mean power of the windows of a clip that have been measured.

    Attributes:
        power: sum of the windows' mean squares, 0 or above, full scale 1.0.
        windows: number of these windows, without silent ones.
        loudest: RMS of the loudest of them.
    """

    power: float = 0.0
    windows: int = 0
    loudest: float = 0.0

    @classmethod
    def of(cls, rms: Sequence[float], config: FeatureConfig) -> Loudness:
        """Returns the loudness of windows with these RMS, in any order; silent ones are not counted."""
        loudest = max(rms, default=0.0)
        audible = [value for value in rms if not is_silent(value, loudest, config)]
        return cls(sum(value**2 for value in audible), len(audible), max(audible, default=0.0))

    def with_window(self, rms: float, config: FeatureConfig) -> Loudness:
        """Returns the loudness with one more window, which is not counted if it is silent so far."""
        loudest = max(self.loudest, rms)
        if is_silent(rms, loudest, config):
            return self
        return Loudness(self.power + rms**2, self.windows + 1, loudest)

    def gain(self, config: FeatureConfig) -> float:
        """Returns the factor that brings the samples to the level of the front end; there is at least one window."""
        if config.level_dbfs is None:
            return 1.0
        return float(10 ** (config.level_dbfs / 20) / (self.power / self.windows) ** 0.5)


def is_silent(rms: float, loudest: float, config: FeatureConfig) -> bool:
    """Returns whether a window is silent.

    With a level, windows are silent that are 55 dB quieter than the loudest, so that a copy at any level has the same
    ones. Without, only their own RMS counts.

    Args:
        rms: RMS of the window, full scale 1.0.
        loudest: RMS of the loudest window of its clip.
        config: settings of the front end.
    """
    if config.level_dbfs is None:
        return rms < SILENCE_RMS
    return loudest < SILENCE_RMS or rms < _SILENCE_SHARE * loudest
