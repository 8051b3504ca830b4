"""Measures how well items without plays are found for the users who will play them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from segue.trainer.arrays import AnyFloats, Positions
from segue.trainer.collaborative.content import Content
from segue.trainer.collaborative.factors import ContentMap, FactorPlan, Factors, fit_factors, fit_map
from segue.trainer.collaborative.plays import Plays
from segue.trainer.collaborative.recall import RecallTable, recall_at

COLD_K = (5, 20)

Report = Callable[[int], None]
"""Receives the number of each fold, from 0, when it begins."""


def measure_cold(
    plays: Plays, content: Content, plan: FactorPlan, folds: int, report: Report
) -> dict[int, RecallTable]:
    """Hides the plays of one fold of the items after the other, and measures recall of each recommender at each k.

    Candidates are the items of the fold. A user has a case in each fold with an item that the user played, if the user
    also played another one. Popularity is that of the hidden plays of others, which no one has for a new item.

    Args:
        plays: the plays.
        content: vectors of the same items, in the same order.
        plan: settings of the factors.
        folds: number of folds, 2 or above.
        report: receives the number of each fold.
    """
    tables = {k: RecallTable() for k in COLD_K}
    order = np.random.default_rng(plan.seed).permutation(len(plays.items))
    for number, cold in enumerate(np.array_split(order, folds)):
        report(number)
        for row, wanted, scores in _cases(plays, content, plan, np.sort(cold)):
            for k, table in tables.items():
                for name, values in scores.items():
                    table.add(name, row, recall_at(values, wanted, k))
                table.add("chance", row, min(1.0, k / len(wanted)))
    return tables


def _cases(
    plays: Plays, content: Content, plan: FactorPlan, cold: Positions
) -> Iterator[tuple[int, NDArray[np.bool_], dict[str, AnyFloats]]]:
    """Yields the user of each case, which cold items the user played, and the scores of each recommender."""
    is_cold = np.isin(np.arange(len(plays.items)), cold)
    warm = np.flatnonzero(~is_cold)
    factors = fit_factors(plays.counts[:, warm], plan)
    mapping = fit_map(content.vectors()[warm], factors.items)
    counts, players = plays.counts, plays.players
    for row in range(len(plays.users)):
        played = counts.indices[counts.indptr[row] : counts.indptr[row + 1]]
        profile, wanted = played[~is_cold[played]], np.isin(cold, played)
        if len(profile) and wanted.any():
            vectors = content.vectors(plays.users[row])
            scores = _scores(vectors[cold], vectors[profile].mean(0), mapping, factors, row)
            yield row, wanted, scores | {"popularity": players[cold] - wanted}


def _scores(
    vectors: AnyFloats, profile: AnyFloats, mapping: ContentMap, factors: Factors, row: int
) -> dict[str, AnyFloats]:
    return {"content": vectors @ profile, "mapped": mapping(vectors) @ factors.users[row]}
