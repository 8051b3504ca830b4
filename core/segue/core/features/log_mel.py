"""The front end: the only place that makes a log-mel.

The trainer, the indexer and the server all come through here, so that a network meets in service exactly what it met
in training. What varies between networks is a ``FeatureConfig``; it travels with the artifact and its fingerprint with
every index.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
"""Mono samples [n], full scale 1.0."""

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


@lru_cache(maxsize=8)
def _mel_filters(config: FeatureConfig) -> NDArray[np.float32]:
    """The mel filters, [n_fft // 2 + 1, n_mels]."""
    import librosa  # noqa: PLC0415 - numba makes it slow to import, and not every process needs it

    filters = librosa.filters.mel(
        sr=config.sample_rate, n_fft=config.n_fft, n_mels=config.n_mels, fmin=config.fmin, fmax=config.fmax
    )
    return np.ascontiguousarray(filters.T, dtype=np.float32)


@lru_cache(maxsize=8)
def _hann(n_fft: int) -> NDArray[np.float32]:
    """The periodic Hann window, [n_fft]."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)).astype(np.float32)


def mel_power(samples: Samples, frames: NDArray[np.int64], config: FeatureConfig) -> NDArray[np.float32]:
    """The mel power spectrum at the given frames.

    Args:
        samples: mono samples [n] at ``config.sample_rate``; silence is assumed before and after them.
        frames: which frames, [c]; frame f is centred on sample f * hop.
        config: the settings.

    Returns:
        Power, 0 or above, [n_mels, c].
    """
    half = config.n_fft // 2
    padded = np.pad(samples, (half, half))
    cut = np.lib.stride_tricks.sliding_window_view(padded, config.n_fft)[frames * config.hop]
    spectrum = np.fft.rfft(cut * _hann(config.n_fft))
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    return np.ascontiguousarray((power @ _mel_filters(config)).T)


def log_scale(power: NDArray[np.float32], config: FeatureConfig) -> NDArray[np.float32]:
    """Puts the mel power of one window on the network's scale; it never looks outside the window.

    Args:
        power: mel power [n_mels, c].
        config: the settings.

    Returns:
        [n_mels, c]: decibels in [floor_db, 0], or log10(1 + 10,000 x), 0 or above.
    """
    if config.scale == "log10_10000":
        return np.log10(1 + 10_000 * power)
    # 1e-10 is librosa's own least power, so that both agree on what silence is.
    decibels = 10 * np.log10(np.maximum(power, 1e-10))
    return relative_decibels(decibels, config.floor_db)


def relative_decibels(decibels: NDArray[np.float32], floor_db: float) -> NDArray[np.float32]:
    """Decibels of a window relative to its own loudest cell, at least ``floor_db``.

    Args:
        decibels: [..., bands, columns], relative to anything.
        floor_db: below 0.

    Returns:
        [..., bands, columns] in [floor_db, 0].
    """
    loudest = decibels.max(axis=(-2, -1), keepdims=True)
    relative: NDArray[np.float32] = np.maximum(decibels - loudest, np.float32(floor_db))
    return relative
