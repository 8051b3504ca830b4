from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, log_loss
from sklearn.neighbors import NearestNeighbors

from segue.trainer.evaluation.artists import wilson_interval
from segue.trainer.evaluation.calibration import (
    log_softmax,
)
from segue.trainer.evaluation.metrics import classification_metrics, evaluation_metrics
from segue.trainer.evaluation.precision import precision_at, precision_leave_one_out
from tests.helpers.trainer.predictions import make_predictions

random = np.random.default_rng(5)
GENRES = random.integers(0, 4, 60)
LOGITS = random.standard_normal((60, 4)) + 2 * np.eye(4)[GENRES]
EMBEDDING = random.standard_normal((60, 8)) + 2 * np.eye(8)[GENRES]
EMBEDDING /= np.linalg.norm(EMBEDDING, axis=1, keepdims=True)


def test_metrics_equal_those_of_scikit_learn() -> None:
    """That holds for accuracy, log-loss and macro-F1."""
    posterior = np.exp(log_softmax(LOGITS))
    figures = classification_metrics(posterior.astype(np.float32), GENRES)
    assert pytest.approx(accuracy_score(GENRES, posterior.argmax(1))) == figures["accuracy"]
    assert pytest.approx(log_loss(GENRES, posterior), abs=1e-5) == figures["log_loss"]
    assert pytest.approx(f1_score(GENRES, posterior.argmax(1), average="macro")) == figures["macro_f1"]


def test_log_loss_holds_for_tracks_of_few_genres() -> None:
    """An evaluated folder need not have every genre of the network."""
    figures = classification_metrics(np.array([[0.5, 0.25, 0.25], [0.25, 0.5, 0.25]]), np.array([0, 1]))
    assert pytest.approx(np.log(2)) == figures["log_loss"]


@pytest.mark.parametrize("k", [1, 5, 10])
def test_precision_counts_the_genre_of_the_nearest(k: int) -> None:
    """It equals that of scikit-learn's exact neighbours by cosine."""
    near = NearestNeighbors(n_neighbors=k, metric="cosine", algorithm="brute").fit(EMBEDDING[20:])
    nearest = near.kneighbors(EMBEDDING[:20], return_distance=False)
    expected = (GENRES[20:][nearest] == GENRES[:20, None]).mean()
    assert pytest.approx(expected) == precision_at(k, EMBEDDING[:20], GENRES[:20], EMBEDDING[20:], GENRES[20:])


def test_leave_one_out_never_recommends_the_seed() -> None:
    """With every genre once, no recommendation is right."""
    assert 0.0 == precision_leave_one_out(2, EMBEDDING[:4], np.arange(4))


def test_leave_one_out_finds_all_others() -> None:
    """Three tracks of one genre have two neighbours each, both right."""
    assert 1.0 == precision_leave_one_out(2, EMBEDDING[:3], np.zeros(3, int))


def test_wilson_interval_of_a_known_case() -> None:
    """5 of 10 lies between 0.237 and 0.763 (Newcombe 1998), and no interval leaves [0, 1]."""
    assert pytest.approx((0.2366, 0.7634), abs=1e-4) == wilson_interval(5, 10)
    assert pytest.approx(0.0) == wilson_interval(0, 10)[0]
    assert pytest.approx(1.0) == wilson_interval(10, 10)[1]


def test_chunks_are_evaluated_by_their_tracks() -> None:
    """Ten chunks of each of six tracks have another interval than sixty tracks."""
    tracks = make_predictions()
    chunks = replace(tracks, tracks=tuple(f"a{number // 10}#{number % 10:02}s" for number in range(60)))
    assert evaluation_metrics(tracks)["accuracy"] == evaluation_metrics(chunks)["accuracy"]
    assert evaluation_metrics(tracks)["accuracy_low"] != evaluation_metrics(chunks)["accuracy_low"]
