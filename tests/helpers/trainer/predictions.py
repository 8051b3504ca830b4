"""Predictions without a network, for tests of metrics and reports."""

from __future__ import annotations

import numpy as np

from segue.trainer.evaluation.calibration import log_softmax
from segue.trainer.evaluation.predictions import Predictions

LABELS = ("blues", "jazz", "rock")


def make_predictions(count: int = 60, *, named: bool = True, sharp: float = 4.0) -> Predictions:
    """Makes predictions that are often right.

    Args:
        count: number of tracks, the same for each genre.
        named: give the tracks names of GTZAN.
        sharp: factor of the logits.
    """
    random = np.random.default_rng(0)
    genres = np.arange(count) % 3
    logits = random.standard_normal((count, 3)) + 1.5 * np.eye(3)[genres]
    embedding = random.standard_normal((count, 6)) + 2 * np.eye(6)[genres]
    windows = np.exp(log_softmax(logits[:, None] + random.standard_normal((count, 4, 3))))
    tracks = [f"{LABELS[genre]}.{number:05}" if named else f"mine/{number}" for number, genre in enumerate(genres)]
    return Predictions(
        tracks=tuple(tracks),
        genres=genres,
        labels=LABELS,
        posterior=np.exp(log_softmax(sharp * logits)).astype(np.float32),
        embedding=(embedding / np.linalg.norm(embedding, axis=1, keepdims=True)).astype(np.float32),
        window_posteriors=tuple(windows.astype(np.float32)),
    )
