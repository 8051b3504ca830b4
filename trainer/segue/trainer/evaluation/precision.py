"""Genre precision of recommendations: the share of the first k that have the genre of the query."""

from __future__ import annotations

import numpy as np

from segue.trainer.arrays import AnyFloats, Positions

K_VALUES = (5, 10)
"""Numbers of recommendations whose precision is measured."""


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
