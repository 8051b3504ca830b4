from __future__ import annotations

from pathlib import Path

import pytest

from segue.core.model.artifact import read_manifest
from segue.trainer.evaluation.calibration import MIN_CALIBRATION_CLIPS
from segue.trainer.reporting.cautions import (
    FEW_CLIPS,
    caution_about_calibration,
    caution_about_epochs,
    caution_about_regression,
    caution_before_training,
)

MODELS = Path(__file__).parents[4] / "models"
FIGURES = {
    "accuracy": 0.72,
    "log_loss_cross_fitted": 0.86,
    "accuracy_of_linear_head": 0.70,
    "log_loss_of_linear_head": 0.90,
}


def test_few_clips_are_reported_before_a_training() -> None:
    """The message counts the genre with the fewest training clips, and names the command for few clips."""
    genres = [*["blues"] * FEW_CLIPS, *["jazz"] * (FEW_CLIPS - 1)]
    (sentence,) = caution_before_training(genres, MIN_CALIBRATION_CLIPS)
    assert f"{FEW_CLIPS - 1} clips of jazz" in sentence
    assert "train-accurate" in sentence


def test_few_validation_clips_are_reported_before_a_training() -> None:
    """The message says that the scores will not be calibrated."""
    (sentence,) = caution_before_training(["blues"] * FEW_CLIPS, MIN_CALIBRATION_CLIPS - 1)
    assert f"{MIN_CALIBRATION_CLIPS - 1} evaluated clips cannot calibrate" in sentence


def test_enough_clips_are_not_reported() -> None:
    """A run with enough clips begins without a warning."""
    assert [] == list(caution_before_training(["blues"] * FEW_CLIPS, MIN_CALIBRATION_CLIPS))


def test_a_better_regression_is_reported() -> None:
    """The message has the figures of both; it comes if either figure of the regression is better."""
    (sentence,) = caution_about_regression(FIGURES | {"accuracy_of_linear_head": 0.76})
    assert "accuracy is 0.760 and this network's 0.720" in sentence
    assert list(caution_about_regression(FIGURES | {"log_loss_of_linear_head": 0.85}))


def test_a_worse_regression_is_not_reported() -> None:
    """The network is better in accuracy and in log-loss."""
    assert [] == list(caution_about_regression(FIGURES))
    assert [] == list(caution_about_regression(FIGURES | {"accuracy_of_linear_head": FIGURES["accuracy"]}))


def test_differences_that_are_not_printed() -> None:
    """A regression that is better by less than what is printed is not better."""
    perfect = {"accuracy": 1.0, "log_loss_cross_fitted": 2e-16, "accuracy_of_linear_head": 1.0}
    assert [] == list(caution_about_regression(perfect | {"log_loss_of_linear_head": 0.0}))


def test_the_shipped_network_is_better_than_regression() -> None:
    """Its manifest has the figures of both, and its temperature was fitted."""
    manifest = read_manifest(MODELS / "segue-accurate")
    assert [] == [*caution_about_regression(manifest.metrics), *caution_about_calibration(manifest)]


@pytest.mark.parametrize(
    ("losses", "epoch"), [([1.5, 1.2, 1.23], 2), ([1.5, 1.2, 1.21], None), ([1.5, 1.3, 1.2], None)]
)
def test_an_earlier_epoch_that_was_better_is_named(losses: list[float], epoch: int | None) -> None:
    """A rise of the held-out clips' log-loss by 0.03 or more is clear."""
    sentences = list(caution_about_epochs({"val_log_loss": losses}))
    named = [f"lowest after epoch {epoch}: 1.200, and 1.230 after the last one" in sentence for sentence in sentences]
    assert ([True] if epoch else []) == named
