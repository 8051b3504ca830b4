"""Finds the moments of two tracks that sound most alike."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from segue.core.catalogue.window_embeddings import WindowEmbeddings

MAX_MOMENTS = 3
"""Largest number of pairs of moments for a track."""


class Moment(NamedTuple):
    """A window of a seed and one of a track that match.

    Attributes:
        seed_start: start of the seed's window in seconds.
        start: start of the track's window in seconds.
        similarity: cosine of the angle between their embeddings.
    """

    seed_start: float
    start: float
    similarity: float


def find_moments(seed: WindowEmbeddings, track: WindowEmbeddings, count: int = MAX_MOMENTS) -> list[Moment]:
    """Returns the pairs of windows with the greatest similarity, the best first, none of the windows twice.

    Equal pairs come in the order of time.

    Args:
        seed: windows of the seed.
        track: windows of the track.
        count: largest number of pairs.
    """
    similarities = seed.values @ track.values.T
    moments: list[Moment] = []
    for _ in range(min(count, *similarities.shape)):
        row, column = np.unravel_index(int(similarities.argmax()), similarities.shape)
        best = float(np.clip(similarities[row, column], -1, 1))
        moments.append(Moment(float(seed.starts[row]), float(track.starts[column]), best))
        similarities[row] = similarities[:, column] = -np.inf
    return moments
