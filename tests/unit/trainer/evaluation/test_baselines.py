from __future__ import annotations

import numpy as np
import pytest

from segue.core.features.config import FeatureConfig
from segue.trainer.comparison.measure import measures_of
from segue.trainer.data.dataset import Dataset
from segue.trainer.evaluation.baselines import band_statistics, chance, regression_on_bands
from segue.trainer.networks.segue_fast import BandScale, Shape
from segue.trainer.networks.window_statistics import build_statistics


def test_the_statistics_are_those_of_the_network() -> None:
    """Mean, spread and step of each band are the first statistics of the linear path, before it scales them."""
    windows = -60 * np.random.default_rng(0).random((3, 128, 39), np.float32)
    scale = BandScale(np.zeros(128, np.float32), np.ones(128, np.float32))
    expected = build_statistics(Shape(128, 39, 2), scale)(windows).numpy()[:, : 3 * 128]
    np.testing.assert_allclose(expected, band_statistics(windows), rtol=1e-4, atol=1e-4)


def test_the_regression_separates_simple_genres(noisy_dataset: Dataset) -> None:
    """Noise with different high bands is classified and recommended without an error."""
    predictions, pool = regression_on_bands(noisy_dataset, noisy_dataset, ("high", "low"), FeatureConfig())
    measured = measures_of(predictions, pool)
    assert 1.0 == measured["accuracy"].mean()
    assert pytest.approx(1.0, abs=1e-5) == np.linalg.norm(predictions.embedding[0])
    assert {"accuracy": 0.5, "log_loss": pytest.approx(np.log(2)), "precision": 0.5} == chance(predictions, pool)
