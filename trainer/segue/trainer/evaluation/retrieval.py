"""How often what is recommended has the seed's genre, with intervals, beside random and beside the graph."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from segue.core.index.vector_index import HnswIndex
from segue.trainer.arrays import AnyFloats
from segue.trainer.evaluation.metrics import K_VALUES, bootstrap_interval, precision_of_each
from segue.trainer.evaluation.predictions import Predictions
from segue.trainer.evaluation.results import Precision
from segue.trainer.splits.split import gtzan_artists


def precision_table(judged: Predictions, pool: Predictions | None) -> list[Precision]:
    """The precision at 5 and at 10 of every way to recommend.

    Args:
        judged: the seeds; they are recommended to each other, each left out for itself.
        pool: other tracks to recommend from, or None for none.

    Returns:
        Leave-one-out by exact search, by hnswlib where it is installed, and without tracks of the seed's artist where
        every artist is known; from the pool likewise. Where a seed has fewer than k to be recommended from, no row.
    """
    rows = []
    if len(judged.tracks) > 1:
        similarity = judged.embedding @ judged.embedding.T
        itself = np.eye(len(similarity), dtype=bool)
        rows += _rows("leave-one-out", similarity, ~itself, judged, judged)
        if find_spec("hnswlib"):
            rows += _graph_rows(judged)
        rows += _without_artist("leave-one-out", similarity, ~itself, judged, judged)
    if pool is not None:
        similarity = judged.embedding @ pool.embedding.T
        every = np.ones(similarity.shape, dtype=bool)
        rows += _rows("from the pool", similarity, every, judged, pool)
        rows += _without_artist("from the pool", similarity, every, judged, pool)
    return rows


def _rows(
    what: str, similarity: AnyFloats, allowed: NDArray[np.bool_], judged: Predictions, pool: Predictions
) -> list[Precision]:
    masked = np.where(allowed, similarity, -np.inf)
    same = judged.genres[:, None] == pool.genres[None]
    by_chance = (same & allowed).sum(1) / np.maximum(allowed.sum(1), 1)
    most = int(allowed.sum(1).min())
    return [
        _precision(what, k, judged.tracks, precision_of_each(k, masked, judged.genres, pool.genres), by_chance)
        for k in K_VALUES
        if k <= most
    ]


def _graph_rows(judged: Predictions) -> list[Precision]:
    index = HnswIndex.build(judged.tracks, judged.embedding, threads=1)
    genre = dict(zip(judged.tracks, judged.genres, strict=True))
    exact = _rows("", judged.embedding @ judged.embedding.T, ~np.eye(len(judged.tracks), dtype=bool), judged, judged)
    rows = []
    for row in exact:
        found = [
            [genre[near.track_id] == genre[track] for near in index.search(vector, row.k, exclude=[track])]
            for track, vector in zip(judged.tracks, judged.embedding, strict=True)
        ]
        by_chance = np.full(len(found), row.random)
        rows.append(
            _precision(
                "leave-one-out, hnswlib's graph",
                row.k,
                judged.tracks,
                np.array([np.mean(hits) for hits in found]),
                by_chance,
            )
        )
    return rows


def _without_artist(
    what: str, similarity: AnyFloats, allowed: NDArray[np.bool_], judged: Predictions, pool: Predictions
) -> list[Precision]:
    seeds, others = _artists(judged.tracks), _artists(pool.tracks)
    if seeds is None or others is None:
        return []
    return _rows(
        f"{what}, no track of the seed's artist", similarity, allowed & (seeds[:, None] != others), judged, pool
    )


def _artists(tracks: Sequence[str]) -> NDArray[np.str_] | None:
    """The artist of each track or chunk; a track is its own where GTZAN's index has none, None for other music."""
    known = gtzan_artists()
    names = [track.split("#")[0] for track in tracks]
    if any(name not in known for name in names):
        return None
    return np.array([known[name].casefold().strip() or name for name in names])


def _precision(what: str, k: int, seeds: Sequence[str], each: AnyFloats, by_chance: AnyFloats) -> Precision:
    return Precision(what, k, float(each.mean()), *bootstrap_interval(each, seeds), float(by_chance.mean()))
