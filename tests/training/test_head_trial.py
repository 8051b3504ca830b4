"""The trial of the designs of the head, with small heads."""

from __future__ import annotations

import numpy as np
import pytest

from segue.trainer.accurate.head import JUDGES, HeadPlan
from segue.trainer.accurate.head_trial import DESIGNS, FORMER, compare_heads, judgement
from segue.trainer.cross_validation.scores import Scores
from segue.trainer.evaluation.artists import Interval
from tests.training.test_cross_validation import tagged


def test_a_trial_compares_all_designs() -> None:
    """Every draw has folds of its own, and the tables name each design and each genre."""
    tracks = tagged([f"{genre}.x{number}" for number in range(8) for genre in "ab"])
    reported: list[tuple[int, int]] = []
    trial = compare_heads(
        tracks, ("a", "b"), HeadPlan(networks=1, steps=2), 2, lambda *numbers: reported.append(numbers)
    )
    assert [(draw, fold) for draw in range(2) for fold in range(5)] == reported
    assert DESIGNS == tuple(trial.scores)
    text = "\n".join(trial.lines())
    assert "16 tracks, worth 16 artists" in text
    assert "| discriminants + networks + regression | " in text
    assert "| a | 8 | 8.0 | " in text
    assert 2 * (len(DESIGNS)) - 1 + 2 + 6 == text.count("\n| ") + text.startswith("| ")
    assert (1.0, 1.0) == (trial.scores[JUDGES].right.mean(), trial.scores[FORMER].right.mean())


def test_gains_have_the_sign_of_what_is_better() -> None:
    """A lower log-loss, a higher accuracy and a higher precision are gains."""
    worse = Scores(np.array([1.0]), np.array([0.5]), np.array([0.3]))
    better = Scores(np.array([0.8]), np.array([0.75]), np.array([0.4]))
    assert {"log-loss": 0.2, "accuracy": 0.25, "P@10": 0.1} == {
        name: pytest.approx(float(gain[0]), abs=1e-12) for name, gain in better.gains(worse).items()
    }


@pytest.mark.parametrize(
    ("gain", "result"),
    [
        (Interval(0.05, 0.01, 0.09), "better"),
        (Interval(-0.05, -0.09, -0.01), "worse"),
        (Interval(0.02, 0.01, 0.03), "better, by a negligible amount"),
        (Interval(0.05, -0.01, 0.11), "no clear difference"),
    ],
)
def test_judgements(gain: Interval, result: str) -> None:
    """A difference whose interval includes 0 is none, and one below 0.03 is negligible."""
    assert result == judgement(gain)
