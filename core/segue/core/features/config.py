"""The settings of the front end and the grid of its columns; they travel with every artifact and index."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

Scale = Literal["decibel", "log10_10000"]


@dataclass(frozen=True)
class ColumnGrid:
    """Which frames of the hop become columns: column c is frame (c * step + offset) // divisor.

    A grid over the whole track, rather than a hop inside each window, puts a window's columns exactly where the
    training archive has them, wherever the window starts.
    """

    step: int = 1
    offset: int = 0
    divisor: int = 1

    def frame(self, column: int) -> int:
        """The frame of one column, 0 or above."""
        return (column * self.step + self.offset) // self.divisor

    def frames(self, first: int, count: int) -> NDArray[np.int64]:
        """The frames [count] of the columns from ``first`` on."""
        return (np.arange(first, first + count, dtype=np.int64) * self.step + self.offset) // self.divisor

    def columns(self, frames: int) -> int:
        """How many columns ``frames`` frames hold."""
        # The largest c with c * step + offset < frames * divisor, plus one.
        return max(0, (frames * self.divisor - 1 - self.offset) // self.step + 1)


# The archive of 1,293-frame clips holds frame ((2 c + 1) * 1293 - 1) // 775 as column c: a column every 3.337 frames.
GTZAN_GRID = ColumnGrid(step=2 * 1293, offset=1293 - 1, divisor=775)


@dataclass(frozen=True)
class FeatureConfig:
    """How samples become the windows that a network sees.

    Attributes:
        sample_rate: Hz; audio of another rate is resampled to it first.
        n_fft: samples in a frame, windowed by a periodic Hann window.
        hop: samples between frames; frame f is centred on sample f * hop, and silence is assumed outside the track.
        n_mels: mel bands (Slaney's scale and normalisation, as in Auditory Toolbox 1998), lowest first.
        fmin: Hz, the lower edge of the lowest band.
        fmax: Hz, the upper edge of the highest band.
        scale: "decibel" is 10 log10 of the power relative to the window's own loudest cell, at least ``floor_db``;
            "log10_10000" is log10(1 + 10,000 x) of the power x.
        floor_db: the lowest decibels, below 0. Unused by the other scale.
        columns: columns in a window.
        grid: which frames become columns.
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

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that stand for every setting."""
        canonical = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]

    @property
    def window_seconds(self) -> float:
        """How long a window lasts, to the tenth of a second."""
        return round(self.min_samples / self.sample_rate, 1)

    @property
    def min_samples(self) -> int:
        """The fewest samples that hold one window."""
        return self.grid.frame(self.columns - 1) * self.hop

    def frame_count(self, samples: int) -> int:
        """How many frames ``samples`` samples hold."""
        return samples // self.hop + 1

    def column_count(self, samples: int) -> int:
        """How many columns ``samples`` samples hold."""
        return self.grid.columns(self.frame_count(samples))

    def to_dict(self) -> dict[str, Any]:
        """The settings as JSON has them."""
        return asdict(self)

    @classmethod
    def from_dict(cls, settings: dict[str, Any]) -> FeatureConfig:
        """Reads what ``to_dict`` wrote.

        Raises:
            TypeError: a setting is missing, is not one of ours, or is not of its type.
            ValueError: a setting is out of its range.
        """
        _check_types(cls, settings)
        _check_types(ColumnGrid, settings["grid"])
        config = cls(**{**settings, "grid": ColumnGrid(**settings["grid"])})
        counts = (config.sample_rate, config.n_fft, config.hop, config.n_mels, config.columns)
        if min(*counts, config.grid.step, config.grid.divisor) < 1 or config.grid.offset < 0:
            raise ValueError("a count is below 1")
        if not 0 <= config.fmin < config.fmax <= config.sample_rate / 2:
            raise ValueError(f"no mel bands lie between {config.fmin} and {config.fmax} Hz")
        if config.scale not in get_args(Scale) or not config.floor_db < 0:
            raise ValueError(f"no scale is {config.scale} down to {config.floor_db} dB")
        return config


def _check_types(kind: type[ColumnGrid | FeatureConfig], settings: object) -> None:
    """Refuses settings that are not exactly those of ``kind``, each of the type of its default."""
    if not isinstance(settings, dict):
        raise TypeError("the settings are not named")
    defaults = {field.name: field.default for field in fields(kind)}
    if odd := sorted(map(str, set(settings) ^ set(defaults))):
        raise TypeError(f"there are too many or too few settings ({', '.join(odd)})")
    for name, default in defaults.items():
        if name != "grid" and type(settings[name]) is not type(default):
            raise TypeError(f"{name} is {settings[name]!r}")
