"""Metrics of posteriors and embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.metrics import accuracy_score, f1_score, log_loss

from segue.trainer.arrays import AnyFloats, Positions
from segue.trainer.data.dataset import track_of
from segue.trainer.evaluation.calibration import expected_calibration_error, reliability_bins
from segue.trainer.evaluation.predictions import Predictions
from segue.trainer.evaluation.wilson import wilson_interval

K_VALUES = (5, 10)
"""Numbers of recommendations whose precision is measured."""

_RESAMPLES = 2_000


def evaluation_metrics(predictions: Predictions, pool: Predictions | None = None) -> dict[str, float]:
    """Computes the figures of an evaluation.

    Args:
        predictions: the evaluated tracks.
        pool: the tracks to recommend from; None for the evaluated tracks, without the seed itself.

    Returns:
        By name: n, accuracy, accuracy_low and accuracy_high (the 95 % interval by Wilson, or by resampling the tracks
        where chunks are evaluated), log_loss (nats), ece, macro_f1, and precision_at_5 and precision_at_10 where there
        are as many tracks to recommend.
    """
    count = len(predictions.tracks)
    low, high = _accuracy_interval(predictions)
    choice = len(pool.tracks) if pool else count - 1
    return {
        "n": count,
        **classification_metrics(predictions.posterior, predictions.genres),
        "accuracy_low": low,
        "accuracy_high": high,
        **{f"precision_at_{k}": _precision(k, predictions, pool) for k in K_VALUES if k <= choice},
    }


def classification_metrics(posterior: AnyFloats, genres: Positions) -> dict[str, float]:
    """Computes accuracy, log-loss in nats, expected calibration error and macro-F1.

    Args:
        posterior: [n, genres]; each row sums to 1.
        genres: true genres [n], as positions in a row.
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


def precision_at(k: int, embedding: AnyFloats, genres: Positions, pool: AnyFloats, pool_genres: Positions) -> float:
    """Computes the share of the k nearest tracks of a pool, by cosine, that have the query's genre, over all queries.

    Args:
        k: number of neighbours, 1 to m.
        embedding: embeddings of the queries [n, e], each of length 1.
        genres: genres of the queries, [n].
        pool: embeddings [m, e] of length 1, without the queries.
        pool_genres: genres of the pool, [m].
    """
    return float(precision_of_each(k, embedding @ pool.T, genres, pool_genres).mean())


def precision_leave_one_out(k: int, embedding: AnyFloats, genres: Positions) -> float:
    """Computes ``precision_at`` with every track as query and all others as pool; k is below their number."""
    similarity = embedding @ embedding.T
    np.fill_diagonal(similarity, -np.inf)
    return float(precision_of_each(k, similarity, genres, genres).mean())


def precision_of_each(k: int, similarity: AnyFloats, genres: Positions, pool_genres: Positions) -> AnyFloats:
    """Computes the share [n] of the k most similar tracks that have the query's genre.

    Args:
        k: number of neighbours, 1 to m.
        similarity: similarity of each query to each track of the pool, [n, m].
        genres: genres of the queries, [n].
        pool_genres: genres of the pool, [m].
    """
    nearest = np.argsort(-similarity, axis=1, kind="stable")[:, :k]
    shares: AnyFloats = (pool_genres[nearest] == genres[:, None]).mean(1)
    return shares


def bootstrap_interval(values: AnyFloats, tracks: Sequence[str] = (), seed: int = 0) -> tuple[float, float]:
    """Computes the 95 % interval of a mean by drawing tracks with replacement 2,000 times (Efron 1979).

    Args:
        values: value of each clip or chunk, [n].
        tracks: names of the clips or chunks [n], whose chunks of one track are drawn together; if empty, each is a
            track of its own.
        seed: seed of the draws.
    """
    units: list[Any] = [track_of(track) for track in tracks] or list(range(len(values)))
    places = np.unique(units, return_inverse=True)[1]
    sums, sizes = np.bincount(places, values), np.bincount(places)
    drawn = np.random.default_rng(seed).integers(0, len(sums), (_RESAMPLES, len(sums)))
    low, high = np.quantile(sums[drawn].sum(1) / sizes[drawn].sum(1), [0.025, 0.975])
    return float(low), float(high)


def _accuracy_interval(predictions: Predictions) -> tuple[float, float]:
    right = predictions.posterior.argmax(1) == predictions.genres
    # Chunks of one track are right or wrong together.
    if any(track_of(track) != track for track in predictions.tracks):
        return bootstrap_interval(right.astype(np.float64), predictions.tracks)
    return wilson_interval(int(right.sum()), len(right))


def _precision(k: int, seeds: Predictions, pool: Predictions | None) -> float:
    if pool is None:
        return precision_leave_one_out(k, seeds.embedding, seeds.genres)
    return precision_at(k, seeds.embedding, seeds.genres, pool.embedding, pool.genres)
