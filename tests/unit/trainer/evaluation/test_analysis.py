from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from segue.trainer.evaluation.analysis import analyze_predictions, window_agreement
from segue.trainer.evaluation.calibration import fit_temperature, log_softmax, reliability_bins
from tests.helpers.trainer.predictions import make_predictions


def test_the_temperature_is_removed_again() -> None:
    """The raw figures are those of the posterior before its temperature."""
    predictions, plain = make_predictions(sharp=1.0), make_predictions(sharp=2.0)
    halved = analyze_predictions(predictions, None, temperature=2.0)
    expected = analyze_predictions(plain, None, temperature=1.0).figures["log_loss"]
    assert pytest.approx(expected, abs=1e-5) == halved.figures["log_loss_raw"]


def test_cross_fitting_improves_a_posterior_that_is_too_sharp() -> None:
    """It improves less than a temperature that was fitted on the same clips."""
    predictions = make_predictions(sharp=4.0)
    analysis = analyze_predictions(predictions, None, temperature=1.0)
    logits = np.log(predictions.posterior)
    best = log_softmax(logits / fit_temperature(logits, predictions.genres))
    least = -best[np.arange(60), predictions.genres].mean()
    assert least < analysis.figures["log_loss_cross_fitted"] < analysis.figures["log_loss_raw"]


def test_few_clips_are_not_cross_fitted() -> None:
    """Four clips cannot be divided into five folds, so there are no such figures."""
    figures = analyze_predictions(make_predictions(4), None, 1.0).figures
    assert [] == [name for name in figures if "cross_fitted" in name]


def test_clips_that_did_not_fit_the_temperature_are_evaluated_as_served() -> None:
    """The temperature was fitted on other clips already, so it is not fitted again."""
    predictions = make_predictions(sharp=4.0)
    analysis = analyze_predictions(predictions, None, 2.0, refit=False)
    assert reliability_bins(predictions.posterior, predictions.genres) == analysis.after
    assert [] == [name for name in analysis.figures if "cross_fitted" in name]


def test_confusion_and_genres_match_the_predictions() -> None:
    """Rows of the matrix add up to the clips of a genre, and its diagonal to the accuracy."""
    analysis = analyze_predictions(make_predictions(), None, 1.0)
    assert [20, 20, 20] == analysis.confusion.sum(1).tolist()
    assert pytest.approx(analysis.figures["accuracy"]) == analysis.confusion.trace() / 60
    for place, row in enumerate(analysis.genres):
        assert pytest.approx(row.recall) == analysis.confusion[place, place] / 20


def test_window_agreement_is_the_share_of_equal_genres() -> None:
    """Three windows of four with the genre of their clip are 0.75."""
    predictions = make_predictions(1)
    first, last = predictions.posterior[0].argmax(), predictions.posterior[0].argmin()
    windows = np.eye(3, dtype=np.float32)[[first] * 3 + [last]]
    assert 0.75 == window_agreement(replace(predictions, window_posteriors=(windows,)))
