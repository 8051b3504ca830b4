"""What the linear path knows of a window: how its bands sound, how its cepstrum moves, how peaky its spectrum is."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops
from scipy.fft import dct

from segue.trainer.arrays import Floats
from segue.trainer.networks.segue_fast import BandScale, Shape

CEPSTRA = 24
"""Coefficients of the cepstrum, which tell the spectrum's outline and neither its pitch nor its noise."""
LAGS = (1, 2, 3, 5, 8)
"""Columns over which a coefficient is compared with itself, 0.08 to 0.6 s."""
RANGE = 8
"""Bands in which a peak is looked for."""


def build_statistics(shape: Shape, scale: BandScale) -> keras.Model:
    """Windows [n, bands, columns] in; statistics [n, s] out: those of bands, of cepstra and of peaks side by side.

    ``bands`` is a multiple of ``RANGE``.
    """
    windows = keras.Input((shape.bands, shape.columns))
    parts = [*_of_bands(scale.layer()(windows)), *_of_cepstra(windows, shape), *_of_peaks(windows, shape)]
    return keras.Model(windows, ops.concatenate(parts, -1), name="statistics")


def _of_bands(x: keras.KerasTensor) -> list[keras.KerasTensor]:
    """Mean, spread, mean step and skewness of each band [n, bands]."""
    mean, spread = ops.mean(x, -1, keepdims=True), ops.std(x, -1)
    steps = ops.mean(ops.abs(x[:, :, 1:] - x[:, :, :-1]), -1)
    # A band that stands still has no skewness.
    skewness = ops.mean((x - mean) ** 3, -1) / (spread + 0.1) ** 3
    return [mean[..., 0], spread, steps, skewness]


def _of_cepstra(windows: keras.KerasTensor, shape: Shape) -> list[keras.KerasTensor]:
    """Mean and log-spread of the coefficients, how each goes with each other, and with itself some columns later."""
    cepstra = ops.matmul(cosines(shape.bands), windows)
    mean = ops.mean(cepstra, -1, keepdims=True)
    moved = cepstra - mean
    covariance = ops.matmul(moved, ops.transpose(moved, (0, 2, 1))) / shape.columns
    spread = ops.sqrt(ops.mean(moved**2, -1) + 1.0)
    correlation = covariance / (spread[:, :, None] * spread[:, None, :])
    above = np.ravel_multi_index(np.triu_indices(CEPSTRA, 1), (CEPSTRA, CEPSTRA))
    pairs = ops.take(ops.reshape(correlation, (-1, CEPSTRA * CEPSTRA)), above, axis=1)
    later = [ops.sum(moved[:, :, lag:] * moved[:, :, :-lag], -1) / shape.columns / spread**2 for lag in LAGS]
    return [mean[..., 0], ops.log(spread), pairs, *later]


def _of_peaks(windows: keras.KerasTensor, shape: Shape) -> list[keras.KerasTensor]:
    """Mean and spread over time of the decibels between the loudest and the faintest band of each range."""
    ranges = ops.reshape(windows, (-1, shape.bands // RANGE, RANGE, shape.columns))
    contrast = ops.max(ranges, 2) - ops.min(ranges, 2)
    return [ops.mean(contrast, -1), ops.std(contrast, -1)]


def cosines(bands: int) -> Floats:
    """The matrix [``CEPSTRA``, bands] that makes a cepstrum of decibels: an orthonormal discrete cosine transform."""
    matrix: Floats = dct(np.eye(bands), axis=0, norm="ortho")[:CEPSTRA].astype(np.float32)
    return matrix
