from __future__ import annotations

import numpy as np
import pytest

from segue.trainer.evaluation.calibration import (
    MIN_CALIBRATION_CLIPS,
    calibration_temperature,
    cross_fitted,
    expected_calibration_error,
    fit_temperature,
    log_softmax,
    reliability_bins,
)
from segue.trainer.evaluation.metrics import classification_metrics
from tests.helpers.trainer.predictions import make_predictions


def test_calibration_error_of_a_known_case() -> None:
    """Four predictions at 0.95 with three right are off by 0.2, two at 0.55 with one right by 0.05."""
    confidence = np.array([0.95] * 4 + [0.55] * 2)
    posterior = np.stack([confidence, 1 - confidence], 1)
    genres = np.array([0, 0, 0, 1, 0, 1])
    assert pytest.approx((4 * 0.2 + 2 * 0.05) / 6) == expected_calibration_error(reliability_bins(posterior, genres))


def test_reliability_adds_up_to_the_calibration_error() -> None:
    """The figure is the mean distance in the bins of the diagram."""
    predictions = make_predictions()
    bins = reliability_bins(predictions.posterior, predictions.genres)
    assert 60 == sum(part.clips for part in bins)
    error = sum(abs(part.confidence - part.accuracy) * part.clips for part in bins) / 60
    assert pytest.approx(error) == classification_metrics(predictions.posterior, predictions.genres)["ece"]


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_a_temperature_is_recovered(temperature: float) -> None:
    """Logits that were multiplied by a factor get that factor as temperature."""
    random = np.random.default_rng(1)
    logits = 2 * random.standard_normal((20_000, 3))
    genres = (np.exp(log_softmax(logits)).cumsum(1) > random.random((20_000, 1))).argmax(1)
    assert pytest.approx(temperature, rel=0.05) == fit_temperature(logits * temperature, genres)


def test_four_clips_are_too_few_for_five_folds() -> None:
    """Each fold needs a clip."""
    predictions = make_predictions(4)
    assert cross_fitted(predictions.posterior, predictions.genres) is None


def test_few_clips_fit_no_temperature() -> None:
    """The temperature of a network stays 1 until there are enough clips, and is fitted from then on."""
    predictions = make_predictions(MIN_CALIBRATION_CLIPS)
    posterior, genres = predictions.posterior, predictions.genres
    assert not (posterior.argmax(1) == genres).all()
    assert 1.0 != calibration_temperature(posterior, genres)
    assert 1.0 == calibration_temperature(posterior[1:], genres[1:])


def test_right_clips_fit_no_temperature() -> None:
    """If every clip is right, the log-loss falls with the temperature, so that none is the best."""
    genres = np.arange(40) % 2
    posterior = np.where(genres[:, None] == np.arange(2), 0.7, 0.3)
    assert 1.0 == calibration_temperature(posterior, genres)
    assert fit_temperature(np.log(posterior), genres) < 0.1


def test_fifths_get_temperatures_by_the_rule_of_the_network() -> None:
    """Four fifths that are too few clips to fit one, or all right, have the temperature 1, as a network would."""
    few = make_predictions(MIN_CALIBRATION_CLIPS)
    fitted = cross_fitted(few.posterior, few.genres)
    assert fitted is not None
    np.testing.assert_allclose(few.posterior, fitted, atol=1e-6)
    genres = np.arange(100) % 2
    posterior = np.where(genres[:, None] == np.arange(2), 0.9, 0.1)
    posterior[0] = posterior[0, ::-1]
    at_others = cross_fitted(posterior, genres)
    assert at_others is not None
    np.testing.assert_allclose([0.1, 0.9], at_others[0])
