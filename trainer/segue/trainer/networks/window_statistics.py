"""Statistics of a window for the linear path: its bands, the movement of its cepstrum, and its spectral peaks."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops
from scipy.fft import dct

from segue.trainer.arrays import Floats
from segue.trainer.networks.segue_fast import BandScale, Shape

CEPSTRA = 24
"""Number of cepstral coefficients; they describe the spectrum's outline, without its pitch and noise."""
LAGS = (1, 2, 3, 5, 8)
"""Lags in columns at which a coefficient is correlated with itself, 0.08 to 0.6 s."""
RANGE = 8
"""Number of bands in which a peak is searched."""


def build_statistics(shape: Shape, scale: BandScale) -> keras.Model:
    """Builds a network that computes statistics: windows [n, bands, columns] in, statistics [n, s] out.

    Args:
        shape: sizes of a window; ``bands`` is a multiple of ``RANGE``.
        scale: scale of the bands.
    """
    windows = keras.Input((shape.bands, shape.columns))
    parts = [*_of_bands(scale.layer()(windows)), *_of_cepstra(windows, shape), *_of_peaks(windows, shape)]
    return keras.Model(windows, ops.concatenate(parts, -1), name="statistics")


def cosines(bands: int) -> Floats:
    """Returns the matrix [``CEPSTRA``, bands] of an orthonormal discrete cosine transform, decibels to cepstrum."""
    matrix: Floats = dct(np.eye(bands), axis=0, norm="ortho")[:CEPSTRA].astype(np.float32)
    return matrix


def _of_bands(x: keras.KerasTensor) -> list[keras.KerasTensor]:
    """Computes mean, spread, mean step and skewness of each band, [n, bands] each."""
    mean, spread = ops.mean(x, -1, keepdims=True), ops.std(x, -1)
    steps = ops.mean(ops.abs(x[:, :, 1:] - x[:, :, :-1]), -1)
    # A constant band has no skewness.
    skewness = ops.mean((x - mean) ** 3, -1) / (spread + 0.1) ** 3
    return [mean[..., 0], spread, steps, skewness]


def _of_cepstra(windows: keras.KerasTensor, shape: Shape) -> list[keras.KerasTensor]:
    """Computes mean and log-spread of the coefficients, and their correlations with each other and over time."""
    cepstra = ops.matmul(cosines(shape.bands), windows)
    mean = ops.mean(cepstra, -1, keepdims=True)
    centred = cepstra - mean
    covariance = ops.matmul(centred, ops.transpose(centred, (0, 2, 1))) / shape.columns
    spread = ops.sqrt(ops.mean(centred**2, -1) + 1.0)
    correlation = covariance / (spread[:, :, None] * spread[:, None, :])
    above = np.ravel_multi_index(np.triu_indices(CEPSTRA, 1), (CEPSTRA, CEPSTRA))
    pairs = ops.take(ops.reshape(correlation, (-1, CEPSTRA * CEPSTRA)), above, axis=1)
    lagged = [ops.sum(centred[:, :, lag:] * centred[:, :, :-lag], -1) / shape.columns / spread**2 for lag in LAGS]
    return [mean[..., 0], ops.log(spread), pairs, *lagged]


def _of_peaks(windows: keras.KerasTensor, shape: Shape) -> list[keras.KerasTensor]:
    """Computes mean and spread over time of the decibels between the loudest and the faintest band of each range."""
    ranges = ops.reshape(windows, (-1, shape.bands // RANGE, RANGE, shape.columns))
    contrast = ops.max(ranges, 2) - ops.min(ranges, 2)
    return [ops.mean(contrast, -1), ops.std(contrast, -1)]
