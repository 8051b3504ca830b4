"""Orders tracks by maximal marginal relevance (Carbonell and Goldstein 1998): each differs from those before it."""

from __future__ import annotations

import numpy as np

from segue.core.index.vector_index import Vectors


def diverse_order(similarities: Vectors, embeddings: Vectors, count: int, diversity: float) -> list[int]:
    """Returns the positions of the tracks to choose, the first one first.

    Each is the track t with the greatest (1 - d) sim(t, seed) - d max sim(t, s), over the chosen tracks s, which the
    first one has none of. Of equal values, the track that is more similar to the seed comes first.

    Args:
        similarities: similarity [n] of each track to the seed, the greatest first.
        embeddings: embeddings [n, e] of length 1.
        count: number of tracks to choose; fewer are chosen if there are fewer.
        diversity: d, [0, 1).
    """
    nearest_chosen = np.zeros(len(similarities), np.float32)
    is_open = np.ones(len(similarities), np.bool_)
    chosen: list[int] = []
    while len(chosen) < min(count, len(similarities)):
        values = (1 - diversity) * similarities - diversity * nearest_chosen
        best = int(np.argmax(np.where(is_open, values, -np.inf)))
        likeness = embeddings @ embeddings[best]
        nearest_chosen = np.maximum(nearest_chosen, likeness) if chosen else likeness
        is_open[best] = False
        chosen.append(best)
    return chosen
