"""How good posteriors and embeddings are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special
from scipy.optimize import minimize_scalar
from scipy.stats import binomtest
from sklearn.metrics import accuracy_score, f1_score, log_loss

from segue.trainer.arrays import AnyFloats
from segue.trainer.data.dataset import track_of
from segue.trainer.evaluation.predictions import Predictions

Positions = NDArray[np.integer[Any]]
_RESAMPLES = 2_000
K_VALUES = (5, 10)


def classification_metrics(posterior: AnyFloats, genres: Positions) -> dict[str, float]:
    """Accuracy, log-loss in nats, expected calibration error and macro-F1.

    Args:
        posterior: [n, genres]; each row sums to 1.
        genres: the true genres [n], as positions in a row.
    """
    every = np.arange(posterior.shape[1])
    guesses = posterior.argmax(1)
    normalised = posterior.astype(np.float64) / posterior.sum(1, keepdims=True, dtype=np.float64)
    return {
        "accuracy": float(accuracy_score(genres, guesses)),
        "log_loss": float(log_loss(genres, normalised, labels=every)),
        "ece": expected_calibration_error(reliability_bins(posterior, genres)),
        "macro_f1": float(f1_score(genres, guesses, average="macro", zero_division=0)),
    }


@dataclass(frozen=True)
class ReliabilityBin:
    """Clips of similar confidence.

    Attributes:
        confidence: mean confidence in [0, 1].
        accuracy: share of clips whose first genre is right, in [0, 1].
        clips: number of clips.
    """

    confidence: float
    accuracy: float
    clips: int


def reliability_bins(posterior: AnyFloats, genres: Positions, bins: int = 10) -> tuple[ReliabilityBin, ...]:
    """Compares confidence with accuracy (Guo et al. 2017).

    Args:
        posterior: [n, genres]; each row sums to 1.
        genres: the true genres [n], as positions in a row.
        bins: number of bins of equal width over [0, 1].

    Returns:
        The bins that hold clips, in ascending order.
    """
    confidence, right = posterior.max(1), posterior.argmax(1) == genres
    places = np.minimum((confidence * bins).astype(int), bins - 1)
    return tuple(
        ReliabilityBin(float(confidence[inside].mean()), float(right[inside].mean()), int(inside.sum()))
        for inside in (places == place for place in np.unique(places))
    )


def expected_calibration_error(bins: Sequence[ReliabilityBin]) -> float:
    """Returns the mean distance between confidence and accuracy in [0, 1], over clips (Guo et al. 2017)."""
    clips = sum(part.clips for part in bins)
    return sum(abs(part.confidence - part.accuracy) * (part.clips / clips) for part in bins)


def precision_at(k: int, embedding: AnyFloats, genres: Positions, pool: AnyFloats, pool_genres: Positions) -> float:
    """The share of the k nearest tracks of a pool, by cosine, that have the query's genre; the mean over queries.

    Args:
        k: neighbours, 1 to m.
        embedding: of the queries, [n, e], of length 1.
        genres: of the queries, [n].
        pool: embeddings [m, e] of length 1, without the queries.
        pool_genres: [m].
    """
    return float(precision_of_each(k, embedding @ pool.T, genres, pool_genres).mean())


def precision_leave_one_out(k: int, embedding: AnyFloats, genres: Positions) -> float:
    """``precision_at`` with every track asking for its neighbours among all the others; k is below n."""
    similarity = embedding @ embedding.T
    np.fill_diagonal(similarity, -np.inf)
    return float(precision_of_each(k, similarity, genres, genres).mean())


def precision_of_each(k: int, similarity: AnyFloats, genres: Positions, pool_genres: Positions) -> AnyFloats:
    """The share [n] of the k most similar that have the query's genre.

    Args:
        k: neighbours, 1 to m.
        similarity: of each query to each of the pool, [n, m].
        genres: of the queries, [n].
        pool_genres: [m].
    """
    nearest = np.argsort(-similarity, axis=1, kind="stable")[:, :k]
    shares: AnyFloats = (pool_genres[nearest] == genres[:, None]).mean(1)
    return shares


def wilson_interval(right: int, total: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927).

    Args:
        right: successes, 0 to ``total``.
        total: trials, 1 or above.
    """
    interval = binomtest(right, total).proportion_ci(confidence_level=0.95, method="wilson")
    return float(interval.low), float(interval.high)


def bootstrap_interval(values: AnyFloats, tracks: Sequence[str] = (), seed: int = 0) -> tuple[float, float]:
    """The 95 % interval of a mean by drawing tracks with replacement 2,000 times (Efron 1979).

    Args:
        values: of each clip or chunk, [n].
        tracks: which each is, [n]; chunks of one track are drawn together. Empty: each is a track of its own.
        seed: of the drawing.
    """
    units: list[Any] = [track_of(track) for track in tracks] or list(range(len(values)))
    places = np.unique(units, return_inverse=True)[1]
    sums, sizes = np.bincount(places, values), np.bincount(places)
    drawn = np.random.default_rng(seed).integers(0, len(sums), (_RESAMPLES, len(sums)))
    low, high = np.quantile(sums[drawn].sum(1) / sizes[drawn].sum(1), [0.025, 0.975])
    return float(low), float(high)


def log_softmax(logits: AnyFloats) -> AnyFloats:
    """The logarithm of the posterior along the last axis."""
    normalised: AnyFloats = special.log_softmax(logits, axis=-1)
    return normalised


def fit_temperature(logits: AnyFloats, genres: Positions) -> float:
    """What the logits [n, genres] must be divided by for the least log-loss, in [0.05, 20] (Guo et al. 2017)."""

    def loss(log_temperature: float) -> float:
        return float(-log_softmax(logits / math.exp(log_temperature))[np.arange(len(genres)), genres].mean())

    found = minimize_scalar(loss, bounds=(math.log(0.05), math.log(20)), method="bounded")
    return math.exp(found.x)


def evaluation_metrics(predictions: Predictions, pool: Predictions | None = None) -> dict[str, float]:
    """The figures of an evaluation, by name.

    Args:
        predictions: the tracks that are judged.
        pool: the tracks that are recommended from; None for the judged tracks, each left out for itself.

    Returns:
        n, accuracy, accuracy_low and accuracy_high (its 95 % interval: Wilson's, or by resampling the tracks where
        chunks are judged), log_loss (nats), ece, macro_f1, and precision_at_5 and precision_at_10 where there are as
        many tracks to recommend.
    """
    count = len(predictions.tracks)
    low, high = _interval(predictions)
    choice = len(pool.tracks) if pool else count - 1
    return {
        "n": count,
        **classification_metrics(predictions.posterior, predictions.genres),
        "accuracy_low": low,
        "accuracy_high": high,
        **{f"precision_at_{k}": _precision(k, predictions, pool) for k in K_VALUES if k <= choice},
    }


def _interval(predictions: Predictions) -> tuple[float, float]:
    right = predictions.posterior.argmax(1) == predictions.genres
    # Chunks of one track are right or wrong together.
    if any(track_of(track) != track for track in predictions.tracks):
        return bootstrap_interval(right.astype(np.float64), predictions.tracks)
    return wilson_interval(int(right.sum()), len(right))


def _precision(k: int, asked: Predictions, pool: Predictions | None) -> float:
    if pool is None:
        return precision_leave_one_out(k, asked.embedding, asked.genres)
    return precision_at(k, asked.embedding, asked.genres, pool.embedding, pool.genres)
