"""Computes mel filters: Slaney's scale and normalization, as in Auditory Toolbox 1998 and in librosa."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from segue.core.features.config import FeatureConfig

# The scale is linear with this many hertz in a mel up to the corner, and logarithmic above.
_HERTZ_PER_MEL = 200.0 / 3
_CORNER_HERTZ = 1000.0
_CORNER_MELS = _CORNER_HERTZ / _HERTZ_PER_MEL
# Natural logarithm of the frequency ratio of a mel above the corner: 27 mels from 1,000 to 6,400 Hz.
_LOG_STEP = np.log(6.4) / 27.0


def mel_filters(config: FeatureConfig) -> NDArray[np.float32]:
    """Computes triangular filters of equal area, bit for bit those of ``librosa.filters.mel``.

    librosa would compile much of itself at import (numba), and needs a folder that can be written for that.

    Returns:
        Weights [n_mels, n_fft // 2 + 1], lowest band first.
    """
    bins = np.fft.rfftfreq(config.n_fft, 1.0 / config.sample_rate)
    edges = _hertz(np.linspace(_mels(config.fmin), _mels(config.fmax), config.n_mels + 2))
    widths = np.diff(edges)
    ramps = np.subtract.outer(edges, bins)
    rising = -ramps[:-2] / widths[:-1, np.newaxis]
    falling = ramps[2:] / widths[1:, np.newaxis]
    triangles: NDArray[np.float32] = np.maximum(0, np.minimum(rising, falling)).astype(np.float32)
    triangles *= (2.0 / (edges[2:] - edges[:-2]))[:, np.newaxis]
    return triangles


def _mels(hertz: float) -> float:
    if hertz < _CORNER_HERTZ:
        return hertz / _HERTZ_PER_MEL
    return float(_CORNER_MELS + np.log(hertz / _CORNER_HERTZ) / _LOG_STEP)


def _hertz(mels: NDArray[np.float64]) -> NDArray[np.float64]:
    logarithmic = _CORNER_HERTZ * np.exp(_LOG_STEP * (mels - _CORNER_MELS))
    return np.where(mels >= _CORNER_MELS, logarithmic, _HERTZ_PER_MEL * mels)
