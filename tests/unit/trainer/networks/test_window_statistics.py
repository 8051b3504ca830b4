from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.fft import dct
from scipy.stats import skew

from segue.trainer.networks.segue_fast import BandScale, Shape
from segue.trainer.networks.window_statistics import CEPSTRA, LAGS, RANGE, build_statistics

SHAPE = Shape(bands=128, columns=39, genres=4)
PLAIN = BandScale(np.zeros(128, np.float32), np.ones(128, np.float32))
WIDTHS = (128, 128, 128, 128, CEPSTRA, CEPSTRA, CEPSTRA * (CEPSTRA - 1) // 2, *[CEPSTRA] * len(LAGS), 16, 16)


def parts(windows: NDArray[np.float32], scale: BandScale = PLAIN) -> list[NDArray[np.float32]]:
    """Computes the statistics of windows, part by part."""
    whole = build_statistics(SHAPE, scale)(windows).numpy()
    assert sum(WIDTHS) == whole.shape[1]
    return np.split(whole, np.cumsum(WIDTHS)[:-1], axis=1)


@pytest.fixture
def windows() -> NDArray[np.float32]:
    """Three windows of noise in [-60, 0]."""
    return -60 * np.random.default_rng(0).random((3, 128, 39), np.float32)


def test_cepstra_are_a_cosine_transform_of_decibels(windows: NDArray[np.float32]) -> None:
    """Means, spreads and correlations equal those of SciPy and NumPy."""
    _, _, _, _, mean, spread, pairs, *later, _, _ = parts(windows)
    cepstra = dct(windows, axis=1, norm="ortho")[:, :CEPSTRA]
    np.testing.assert_allclose(cepstra.mean(-1), mean, atol=2e-3)
    np.testing.assert_allclose(np.log(cepstra.std(-1)), spread, atol=1e-2)
    expected = np.stack([np.corrcoef(clip)[np.triu_indices(CEPSTRA, 1)] for clip in cepstra])
    np.testing.assert_allclose(expected, pairs, atol=1e-2)
    centred = cepstra - cepstra.mean(-1, keepdims=True)
    expected = (centred[..., 5:] * centred[..., :-5]).mean(-1) * 34 / 39 / centred.var(-1)
    np.testing.assert_allclose(expected, later[LAGS.index(5)], atol=1e-2)


def test_skewness_and_peaks_match_their_definitions(windows: NDArray[np.float32]) -> None:
    """Peaks are the decibels between the loudest and the faintest of eight bands."""
    skewness, contrast, spread = parts(windows)[3], *parts(windows)[-2:]
    np.testing.assert_allclose(skew(windows, axis=-1), skewness, atol=2e-2)
    ranges = windows.reshape(3, 128 // RANGE, RANGE, 39)
    np.testing.assert_allclose(np.ptp(ranges, axis=2).mean(-1), contrast, rtol=1e-4)
    np.testing.assert_allclose(np.ptp(ranges, axis=2).std(-1), spread, rtol=1e-3)


def test_a_constant_tone_has_finite_statistics() -> None:
    """Without any movement every statistic stays small."""
    still = np.full((2, 128, 39), -60, np.float32)
    still[:, 40] = 0
    for part in parts(still, BandScale.of(still)):
        assert np.abs(part).max() <= 1000


def test_a_silent_band_is_not_amplified() -> None:
    """A band of constant floor is divided by 1 dB, not by 0."""
    scale = BandScale.of(np.full((3, 128, 39), -60, np.float32))
    assert np.array_equal(np.ones(128), scale.variance)
