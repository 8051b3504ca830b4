"""Measures how well an item that a user played is found among the items that others have played."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from segue.trainer.arrays import AnyFloats, Positions
from segue.trainer.collaborative.content import Content
from segue.trainer.collaborative.factors import FactorPlan, fit_factors
from segue.trainer.collaborative.plays import Plays
from segue.trainer.collaborative.recall import RecallTable, recall_at
from segue.trainer.errors import DataUnusable

MIN_ITEMS = 5
"""Items that a user must have played to be measured."""
WARM_K = 10


def measure_warm(plays: Plays, content: Content, plan: FactorPlan) -> RecallTable:
    """Leaves out one item of each user with five or more, all at once, and measures recall@10 of each recommender.

    Candidates are all items that the user has not played, and the one that was left out.

    Raises:
        DataUnusable: no user has played enough items.
    """
    rows = np.flatnonzero(np.diff(plays.counts.indptr) >= MIN_ITEMS)
    if len(rows) < 2:
        raise DataUnusable(
            f"Fewer than two users have played {MIN_ITEMS} items with content, so nothing can be measured. Name more "
            "plays, or content of more items."
        )
    held = _hold_out(plays, rows, plan.seed)
    rest = _without(plays.counts, rows, held)
    factors = fit_factors(rest, plan)
    players = np.bincount(rest.indices, minlength=len(plays.items))
    table = RecallTable()
    for row, item in zip(rows.tolist(), held.tolist(), strict=True):
        played = rest.indices[rest.indptr[row] : rest.indptr[row + 1]]
        vectors = content.vectors(plays.users[row])
        scores = {
            "als": factors.items @ factors.users[row],
            "content": vectors @ vectors[played].mean(0),
            "popularity": players,
        }
        free = np.setdiff1d(np.arange(len(plays.items)), played)
        _add_case(table, row, free == item, {name: values[free] for name, values in scores.items()})
    return table


def _add_case(table: RecallTable, user: int, wanted: NDArray[np.bool_], scores: dict[str, AnyFloats]) -> None:
    """Adds the recall of each recommender, of the blend of two, and of chance."""
    blend = standardize(scores["als"]) + standardize(scores["content"])
    for name, values in (scores | {"blend": blend}).items():
        table.add(name, user, recall_at(values, wanted, WARM_K))
    table.add("chance", user, min(1.0, WARM_K / len(wanted)))


def standardize(scores: AnyFloats) -> AnyFloats:
    """Returns scores [n] with mean 0 and deviation 1, so that those of two recommenders can be added."""
    spread = scores.std()
    standard: AnyFloats = (scores - scores.mean()) / (spread if spread > 0 else 1)
    return standard


def _without(plays: Any, rows: Positions, columns: Positions) -> Any:  # noqa: ANN401 - scipy ships no types
    """Returns plays [u, i] without those at some places, [n] and [n]."""
    left_out = csr_array((np.ones(len(rows), bool), (rows, columns)), shape=plays.shape)
    rest = plays - plays.multiply(left_out)
    rest.eliminate_zeros()
    rest.sort_indices()
    return rest


def _hold_out(plays: Plays, rows: Positions, seed: int) -> Positions:
    """Returns a random item that each of some users played, [n]."""
    random, starts = np.random.default_rng(seed), plays.counts.indptr
    return np.array([random.choice(plays.counts.indices[starts[row] : starts[row + 1]]) for row in rows])
