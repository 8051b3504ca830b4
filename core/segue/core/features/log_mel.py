"""The front end: the only place that makes a log-mel.

The trainer, the indexer and the server all come through here, so that a network meets in service exactly what it met
in training. What varies between networks is a ``FeatureConfig``; it travels with the artifact and its fingerprint with
every index.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from segue.core.audio.sources import Samples
from segue.core.features.config import FeatureConfig


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
