"""Settings of the front end and the grid of its columns, stored with every artifact and index."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

Scale = Literal["decibel", "log10_10000"]


@dataclass(frozen=True)
class ColumnGrid:
    """A grid that maps columns to frames: column c is frame (c * step + offset) // divisor.

    The grid covers the whole track. So the columns of a window are exactly those of the training archive, wherever the
    window starts.

    Attributes:
        step: multiplier of the column's number, at least 1.
        offset: summand, 0 or above.
        divisor: divisor, at least 1.
    """

    step: int = 1
    offset: int = 0
    divisor: int = 1

    def frame(self, column: int) -> int:
        """Returns the frame of a column, 0 or above."""
        return (column * self.step + self.offset) // self.divisor

    def frames(self, first: int, count: int) -> NDArray[np.int64]:
        """Returns the frames [count] of the columns from ``first`` on."""
        return (np.arange(first, first + count, dtype=np.int64) * self.step + self.offset) // self.divisor

    def columns(self, frames: int) -> int:
        """Returns the number of columns in ``frames`` frames."""
        # The largest c with c * step + offset < frames * divisor, plus one.
        return max(0, (frames * self.divisor - 1 - self.offset) // self.step + 1)


# In the archive of clips with 1,293 frames, column c is frame ((2 c + 1) * 1293 - 1) // 775: one every 3.337 frames.
GTZAN_GRID = ColumnGrid(step=2 * 1293, offset=1293 - 1, divisor=775)


@dataclass(frozen=True)
class FeatureConfig:
    """Settings that turn samples into the windows of a network.

    Attributes:
        sample_rate: sample rate in Hz; audio with another rate is resampled first.
        n_fft: samples in a frame, weighted by a periodic Hann window.
        hop: samples between frames; frame f is centred on sample f * hop, with silence outside the track.
        n_mels: number of mel bands (Slaney's scale and normalization, as in Auditory Toolbox 1998), lowest first.
        fmin: lower edge of the lowest band in Hz.
        fmax: upper edge of the highest band in Hz.
        scale: "decibel" is 10 log10 of the power relative to the loudest cell of the window, at least ``floor_db``;
            "log10_10000" is log10(1 + 10,000 x) of the power x.
        floor_db: lowest value in decibels, below 0. Unused by the other scale.
        columns: number of columns in a window.
        grid: grid that maps columns to frames.
        level_dbfs: RMS level in dBFS that every clip is brought to, or None to leave it as it is.
        trim_db: level in decibels relative to the peak, below 0; the start and the end of a track that stay below it
            are left out. None to leave nothing out.
    """

    sample_rate: int = 22_050
    n_fft: int = 2_048
    hop: int = 512
    n_mels: int = 128
    fmin: float = 0.0
    fmax: float = 11_025.0
    scale: Scale = "decibel"
    floor_db: float = -60.0
    columns: int = 39
    grid: ColumnGrid = GTZAN_GRID
    level_dbfs: float | None = None
    trim_db: float | None = None

    @property
    def fingerprint(self) -> str:
        """A digest of all settings, as 16 hexadecimal digits."""
        canonical = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]

    @property
    def window_seconds(self) -> float:
        """The duration of a window in seconds, rounded to 0.1."""
        return round(self.min_samples / self.sample_rate, 1)

    @property
    def min_samples(self) -> int:
        """The smallest number of samples that have one window."""
        return self.grid.frame(self.columns - 1) * self.hop

    def frame_count(self, samples: int) -> int:
        """Returns the number of frames in ``samples`` samples."""
        return samples // self.hop + 1

    def column_count(self, samples: int) -> int:
        """Returns the number of columns in ``samples`` samples."""
        return self.grid.columns(self.frame_count(samples))

    def to_dict(self) -> dict[str, Any]:
        """Returns the settings as JSON values, without those that are None: older artifacts do not have them."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def from_dict(cls, settings: dict[str, Any]) -> FeatureConfig:
        """Builds the settings from what ``to_dict`` returned.

        Raises:
            TypeError: a setting is missing, unknown, or has the wrong type.
            ValueError: a setting is out of range.
        """
        _check_types(cls, settings)
        _check_types(ColumnGrid, settings["grid"])
        config = cls(**{**settings, "grid": ColumnGrid(**settings["grid"])})
        counts = (config.sample_rate, config.n_fft, config.hop, config.n_mels, config.columns)
        if min(*counts, config.grid.step, config.grid.divisor) < 1 or config.grid.offset < 0:
            raise ValueError("a count is below 1")
        if not 0 <= config.fmin < config.fmax <= config.sample_rate / 2:
            raise ValueError(f"{config.fmin} to {config.fmax} Hz is no range for mel bands")
        if config.scale not in get_args(Scale) or not config.floor_db < 0:
            raise ValueError(f"the scale {config.scale!r} with a floor of {config.floor_db} dB is unknown")
        if not all(-math.inf < level <= 0 for level in (config.level_dbfs or 0, config.trim_db or 0)):
            raise ValueError("a level is no number of decibels up to 0")
        return config


def _check_types(kind: type[ColumnGrid | FeatureConfig], settings: object) -> None:
    """Checks that the settings are exactly those of ``kind``, each with the type of its default."""
    if not isinstance(settings, dict):
        raise TypeError("the settings have no names")
    defaults = {field.name: field.default for field in fields(kind)}
    optional = {name: 0.0 for name, default in defaults.items() if default is None and name in settings}
    expected = {name: default for name, default in defaults.items() if default is not None} | optional
    if differing := sorted(map(str, set(settings) ^ set(expected))):
        raise TypeError(f"settings are missing or unknown ({', '.join(differing)})")
    for name, default in expected.items():
        if name != "grid" and type(settings[name]) is not type(default):
            raise TypeError(f"{name} is {settings[name]!r}")
