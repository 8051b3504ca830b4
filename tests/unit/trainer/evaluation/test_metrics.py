from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, log_loss
from sklearn.neighbors import NearestNeighbors

from segue.trainer.evaluation.metrics import (
    classification_metrics,
    expected_calibration_error,
    fit_temperature,
    log_softmax,
    precision_at,
    precision_leave_one_out,
    reliability_bins,
    wilson_interval,
)

random = np.random.default_rng(5)
GENRES = random.integers(0, 4, 60)
LOGITS = random.standard_normal((60, 4)) + 2 * np.eye(4)[GENRES]
EMBEDDING = random.standard_normal((60, 8)) + 2 * np.eye(8)[GENRES]
EMBEDDING /= np.linalg.norm(EMBEDDING, axis=1, keepdims=True)


def test_classification_is_judged_as_scikit_learn_does() -> None:
    """Accuracy, log-loss and macro-F1 are the textbook's."""
    posterior = np.exp(log_softmax(LOGITS))
    figures = classification_metrics(posterior.astype(np.float32), GENRES)
    assert pytest.approx(accuracy_score(GENRES, posterior.argmax(1))) == figures["accuracy"]
    assert pytest.approx(log_loss(GENRES, posterior), abs=1e-5) == figures["log_loss"]
    assert pytest.approx(f1_score(GENRES, posterior.argmax(1), average="macro")) == figures["macro_f1"]


def test_log_loss_holds_for_tracks_of_few_genres() -> None:
    """A judged folder need not have every genre that the network knows."""
    figures = classification_metrics(np.array([[0.5, 0.25, 0.25], [0.25, 0.5, 0.25]]), np.array([0, 1]))
    assert pytest.approx(np.log(2)) == figures["log_loss"]


def test_calibration_error_of_a_hand_made_case() -> None:
    """Four answers at 0.95 with three right are off by 0.2, two at 0.55 with one right by 0.05."""
    confidence = np.array([0.95] * 4 + [0.55] * 2)
    posterior = np.stack([confidence, 1 - confidence], 1)
    genres = np.array([0, 0, 0, 1, 0, 1])
    assert pytest.approx((4 * 0.2 + 2 * 0.05) / 6) == expected_calibration_error(reliability_bins(posterior, genres))


@pytest.mark.parametrize("k", [1, 5, 10])
def test_precision_counts_the_genre_of_the_nearest(k: int) -> None:
    """It agrees with scikit-learn's exact neighbours by cosine."""
    near = NearestNeighbors(n_neighbors=k, metric="cosine", algorithm="brute").fit(EMBEDDING[20:])
    found = near.kneighbors(EMBEDDING[:20], return_distance=False)
    expected = (GENRES[20:][found] == GENRES[:20, None]).mean()
    assert pytest.approx(expected) == precision_at(k, EMBEDDING[:20], GENRES[:20], EMBEDDING[20:], GENRES[20:])


def test_leave_one_out_never_recommends_the_seed() -> None:
    """With every genre once, nothing right is left to recommend."""
    assert 0.0 == precision_leave_one_out(2, EMBEDDING[:4], np.arange(4))


def test_leave_one_out_finds_all_others() -> None:
    """Three tracks of one genre have two neighbours each, both right."""
    assert 1.0 == precision_leave_one_out(2, EMBEDDING[:3], np.zeros(3, int))


def test_wilson_interval_of_a_known_case() -> None:
    """5 of 10 lies between 0.237 and 0.763 (Newcombe 1998), and no interval leaves [0, 1]."""
    assert pytest.approx((0.2366, 0.7634), abs=1e-4) == wilson_interval(5, 10)
    assert pytest.approx(0.0) == wilson_interval(0, 10)[0]
    assert pytest.approx(1.0) == wilson_interval(10, 10)[1]


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_temperature_is_found_again(temperature: float) -> None:
    """Logits that were sharpened by a factor are softened by the same factor."""
    draw = np.random.default_rng(1)
    logits = 2 * draw.standard_normal((20_000, 3))
    genres = (np.exp(log_softmax(logits)).cumsum(1) > draw.random((20_000, 1))).argmax(1)
    assert pytest.approx(temperature, rel=0.05) == fit_temperature(logits * temperature, genres)
