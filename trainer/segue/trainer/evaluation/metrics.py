"""Metrics of posteriors and embeddings."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import accuracy_score, f1_score, log_loss

from segue.trainer.arrays import AnyFloats, Positions
from segue.trainer.evaluation.calibration import expected_calibration_error, reliability_bins
from segue.trainer.evaluation.known_artists import sample_tracks
from segue.trainer.evaluation.precision import K_VALUES, precision_at, precision_leave_one_out
from segue.trainer.evaluation.predictions import Predictions


def evaluation_metrics(predictions: Predictions, pool: Predictions | None = None) -> dict[str, float]:
    """Computes the figures of an evaluation.

    Args:
        predictions: the evaluated tracks.
        pool: the tracks to recommend from; None for the evaluated tracks, without the seed itself.

    Returns:
        By name: n, artists (the number of artists with equally many tracks that would be worth as much; a track of
        unknown artist counts as one), accuracy, accuracy_low and accuracy_high (the 95 % interval over artists),
        log_loss (nats), ece, macro_f1, and precision_at_5 and precision_at_10 where the embeddings are known and there
        are as many tracks to recommend.
    """
    count = len(predictions.tracks)
    sample = sample_tracks(predictions.tracks, predictions.genres)
    accuracy = sample.share_interval((predictions.posterior.argmax(1) == predictions.genres).astype(np.float64))
    choice = (len(pool.tracks) if pool else count - 1) if predictions.has_embeddings else 0
    return {
        "n": count,
        "artists": sample.effective_artists(),
        **classification_metrics(predictions.posterior, predictions.genres),
        "accuracy_low": accuracy.low,
        "accuracy_high": accuracy.high,
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


def _precision(k: int, seeds: Predictions, pool: Predictions | None) -> float:
    if pool is None:
        return precision_leave_one_out(k, seeds.embedding, seeds.genres)
    return precision_at(k, seeds.embedding, seeds.genres, pool.embedding, pool.genres)
