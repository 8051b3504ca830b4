"""Genre precision of recommendations with intervals, compared with random choice and with the approximate index."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from segue.core.index.vector_index import HnswIndex
from segue.trainer.arrays import AnyFloats
from segue.trainer.data.dataset import track_of
from segue.trainer.evaluation.known_artists import sample_tracks
from segue.trainer.evaluation.precision import K_VALUES, precision_of_each
from segue.trainer.evaluation.predictions import Predictions
from segue.trainer.evaluation.results import Precision
from segue.trainer.splits.split import gtzan_artists


def precision_table(seeds: Predictions, pool: Predictions | None) -> list[Precision]:
    """Computes the precision at each of ``K_VALUES`` of each way to recommend.

    Args:
        seeds: the seeds, which are also recommended to each other.
        pool: other tracks to recommend from, or None for none.

    Returns:
        Rows for leave-one-out by exact search, by hnswlib where it is installed, and without tracks of the seed's
        artist where all artists are known; for the pool likewise. A row with fewer than k candidates for a seed is
        left out. There are no rows where the embeddings are not known.
    """
    if not seeds.has_embeddings:
        return []
    rows: list[Precision] = []
    if len(seeds.tracks) > 1:
        similarity = seeds.embedding @ seeds.embedding.T
        others = ~np.eye(len(similarity), dtype=bool)
        rows += _rows("leave-one-out", similarity, others, seeds, seeds)
        if find_spec("hnswlib"):
            rows += _approximate_rows(seeds)
        rows += _rows_of_other_artists("leave-one-out", similarity, others, seeds, seeds)
    if pool is not None:
        similarity = seeds.embedding @ pool.embedding.T
        every = np.ones(similarity.shape, dtype=bool)
        rows += _rows("from the pool", similarity, every, seeds, pool)
        rows += _rows_of_other_artists("from the pool", similarity, every, seeds, pool)
    return rows


def _rows(
    description: str, similarity: AnyFloats, allowed: NDArray[np.bool_], seeds: Predictions, pool: Predictions
) -> list[Precision]:
    masked = np.where(allowed, similarity, -np.inf)
    same = seeds.genres[:, None] == pool.genres[None]
    by_chance = (same & allowed).sum(1) / np.maximum(allowed.sum(1), 1)
    candidates = int(allowed.sum(1).min())
    return [
        _precision(description, k, seeds, precision_of_each(k, masked, seeds.genres, pool.genres), by_chance)
        for k in K_VALUES
        if k <= candidates
    ]


def _approximate_rows(seeds: Predictions) -> list[Precision]:
    index = HnswIndex.build(seeds.tracks, seeds.embedding, threads=1)
    genre = dict(zip(seeds.tracks, seeds.genres, strict=True))
    exact = _rows("", seeds.embedding @ seeds.embedding.T, ~np.eye(len(seeds.tracks), dtype=bool), seeds, seeds)
    rows = []
    for row in exact:
        hits = [
            [genre[near.track_id] == genre[track] for near in index.search(vector, row.k, exclude=[track])]
            for track, vector in zip(seeds.tracks, seeds.embedding, strict=True)
        ]
        shares, by_chance = np.array([np.mean(row_hits) for row_hits in hits]), np.full(len(hits), row.random)
        rows.append(_precision("leave-one-out, hnswlib's graph", row.k, seeds, shares, by_chance))
    return rows


def _rows_of_other_artists(
    description: str, similarity: AnyFloats, allowed: NDArray[np.bool_], seeds: Predictions, pool: Predictions
) -> list[Precision]:
    seed_artists, pool_artists = _artists(seeds.tracks), _artists(pool.tracks)
    if seed_artists is None or pool_artists is None:
        return []
    others = allowed & (seed_artists[:, None] != pool_artists)
    return _rows(f"{description}, no track of the seed's artist", similarity, others, seeds, pool)


def _artists(tracks: Sequence[str]) -> NDArray[np.str_] | None:
    """Returns the artist of each track or chunk, or None for music that is not GTZAN's.

    A track without an artist in GTZAN's index is an artist of its own.
    """
    known = gtzan_artists()
    names = [track_of(track) for track in tracks]
    if any(name not in known for name in names):
        return None
    return np.array([known[name].casefold().strip() or name for name in names])


def _precision(pool: str, k: int, seeds: Predictions, each: AnyFloats, by_chance: AnyFloats) -> Precision:
    interval = sample_tracks(seeds.tracks, seeds.genres).share_interval(each)
    return Precision(pool, k, interval, float(by_chance.mean()))
