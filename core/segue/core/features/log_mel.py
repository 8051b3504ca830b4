"""Computes log-mel spectrograms; no other code does.

The trainer, the indexer and the server all use it, so a network gets in service exactly what it got in training. The
settings of a network are a ``FeatureConfig``. It is stored with the artifact, and its fingerprint with every index.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from segue.core.audio.samples import Samples
from segue.core.features.config import FeatureConfig
from segue.core.features.mel_filters import mel_filters


@lru_cache(maxsize=8)
def _mel_filters(config: FeatureConfig) -> NDArray[np.float32]:
    """Returns the mel filters [n_fft // 2 + 1, n_mels]."""
    return np.ascontiguousarray(mel_filters(config).T)


@lru_cache(maxsize=8)
def _hann(n_fft: int) -> NDArray[np.float32]:
    """Returns the periodic Hann window [n_fft]."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)).astype(np.float32)


def mel_power(samples: Samples, frames: NDArray[np.int64], config: FeatureConfig) -> NDArray[np.float32]:
    """Computes the mel power spectrum of frames.

    Args:
        samples: mono samples [n] at ``config.sample_rate``, with silence before and after them.
        frames: numbers of the frames [c]; frame f is centred on sample f * hop.
        config: settings of the front end.

    Returns:
        Power [n_mels, c], 0 or above.
    """
    half = config.n_fft // 2
    padded = np.pad(samples, (half, half))
    framed = np.lib.stride_tricks.sliding_window_view(padded, config.n_fft)[frames * config.hop]
    spectrum = np.fft.rfft(framed * _hann(config.n_fft))
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    return np.ascontiguousarray((power @ _mel_filters(config)).T)


def log_scale(power: NDArray[np.float32], config: FeatureConfig) -> NDArray[np.float32]:
    """Converts the mel power of one window to the network's scale, from this window alone.

    Args:
        power: mel power [n_mels, c].
        config: settings of the front end.

    Returns:
        Log-mel [n_mels, c]: decibels in [floor_db, 0], or log10(1 + 10,000 x), 0 or above.
    """
    if config.scale == "log10_10000":
        return np.log10(1 + 10_000 * power)
    # 1e-10 is the least power in librosa, so that silence has the same value in both.
    decibels = 10 * np.log10(np.maximum(power, 1e-10))
    return relative_decibels(decibels, config.floor_db)


def relative_decibels(decibels: NDArray[np.float32], floor_db: float) -> NDArray[np.float32]:
    """Converts the decibels of each window to decibels relative to its loudest cell, at least ``floor_db``.

    Args:
        decibels: decibels [..., bands, columns] with any reference.
        floor_db: lowest value, below 0.

    Returns:
        Decibels [..., bands, columns] in [floor_db, 0].
    """
    loudest = decibels.max(axis=(-2, -1), keepdims=True)
    relative: NDArray[np.float32] = np.maximum(decibels - loudest, np.float32(floor_db))
    return relative
