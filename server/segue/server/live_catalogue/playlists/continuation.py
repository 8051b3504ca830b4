"""Orders tracks as the continuation of a list, which drifts with each of them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from segue.core.index.vector_index import Vectors
from segue.core.selection.labels import NONE

Weights = NDArray[np.float64]


class PlayedList(NamedTuple):
    """A list to continue.

    Attributes:
        embeddings: the embeddings [n, e] of its items, each of length 1, the one that was played last at the end.
        weights: the weights [n] of the items apart from their positions.
        half_life: number of items after which the weight of an item is halved.
    """

    embeddings: Vectors
    weights: Weights
    half_life: float

    @property
    def all_weights(self) -> Weights:
        """The weights [n], those of the positions included."""
        return self.weights * self.decay ** np.arange(len(self.weights))[::-1]

    @property
    def decay(self) -> float:
        """The weight of an item after one more item."""
        return float(2 ** (-1 / self.half_life))


class Candidates(NamedTuple):
    """The tracks that may be played next.

    Attributes:
        embeddings: their embeddings [c, e] of length 1.
        artists: numbers of their artists [c]; NONE for an unknown one, which is like no other.
    """

    embeddings: Vectors
    artists: NDArray[np.int64]


class Step(NamedTuple):
    """A track that continues a list.

    Attributes:
        candidate: its number among the candidates.
        similarity: its similarity to the list with all tracks before it.
    """

    candidate: int
    similarity: float


def continuation(
    played: PlayedList, candidates: Candidates, count: int, diversity: float = 0.0, last_artist: int = NONE
) -> list[Step]:
    """Returns the tracks that continue a list, the first one first.

    Each is the candidate t with the greatest (1 - d) sim(t, list) - d max sim(t, s), over the tracks s that were chosen
    before, which the first one has none of. Then it is the last item of the list, with the weight 1. No candidate by
    the artist of the last item is chosen unless there is no other.

    Args:
        played: the list.
        candidates: the tracks, in the order in which equal ones are chosen.
        count: number of tracks; fewer are returned if there are fewer candidates.
        diversity: d, [0, 1).
        last_artist: number of the artist of the last item of the list.
    """
    embeddings, artists = candidates
    total = played.all_weights @ played.embeddings.astype(np.float64)
    is_open, nearest = np.ones(len(embeddings), np.bool_), np.zeros(len(embeddings), np.float32)
    steps: list[Step] = []
    while len(steps) < min(count, len(embeddings)):
        similarities = embeddings @ _unit(total)
        allowed = is_open & ((artists != last_artist) | (last_artist == NONE))
        values = (1 - diversity) * similarities - diversity * nearest
        best = int(np.argmax(np.where(allowed if allowed.any() else is_open, values, -np.inf)))
        steps.append(Step(best, float(similarities[best].clip(-1.0, 1.0))))
        is_open[best], last_artist = False, int(artists[best])
        likeness = embeddings @ embeddings[best]
        nearest = np.maximum(nearest, likeness) if len(steps) > 1 else likeness
        total = played.decay * total + embeddings[best]
    return steps


def _unit(vector: NDArray[np.float64]) -> Vectors:
    """Returns a vector of length 1; one that has no direction stays near 0."""
    unit: Vectors = (vector / max(float(np.linalg.norm(vector)), np.finfo(np.float64).tiny)).astype(np.float32)
    return unit
