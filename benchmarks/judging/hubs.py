"""Measures hubs, tracks that are among the nearest of very many others, and mutual proximity, which lowers them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from segue.trainer.commands.evaluate import Evaluation
from segue.trainer.evaluation.precision import precision_of_each
from segue.trainer.evaluation.recommendations.judgement import LENGTH
from segue.trainer.evaluation.recommendations.measures import occurrence_skew, occurrences

_Similarities = NDArray[np.float64]


def hub_rows(title: str, evaluation: Evaluation) -> list[tuple[str, ...]]:
    """Returns the rows of the cosine and of mutual proximity for the compared vectors of a set.

    Args:
        title: heading of the set.
        evaluation: its evaluation, with judged recommendations.

    Returns:
        Rows with the set, what compares its tracks, P@10, the skew of occurrences and the greatest number of them.
    """
    if evaluation.compared is None:
        return []
    vectors, genres = evaluation.compared.seeds.embedding.astype(np.float64), evaluation.predictions.genres
    cosine = vectors @ vectors.T
    rows: list[tuple[str, ...]] = []
    for name, similarity in (("cosine", cosine), ("mutual proximity", mutual_proximity(cosine))):
        np.fill_diagonal(similarity, -np.inf)
        lists = list(np.argsort(-similarity, axis=1, kind="stable")[:, :LENGTH])
        has = occurrences(lists, len(genres))
        precision = precision_of_each(LENGTH, similarity, genres, genres).mean()
        skew = occurrence_skew(has, np.ones(len(genres)))
        rows.append((title, name, f"{precision:.3f}", f"{skew:.2f}", str(has.sum(0).max())))
    return rows


def mutual_proximity(similarity: _Similarities) -> _Similarities:
    """Computes the share [n, n] of tracks that are less similar to both of a pair than these are to each other.

    Args:
        similarity: similarity of each pair, [n, n].
    """
    own = ~np.eye(len(similarity), dtype=bool)
    shares = np.empty_like(similarity)
    for row, to_row in enumerate(similarity):
        pair = to_row[:, None]
        less = (to_row[None, :] < pair) & (similarity < pair) & own[row][None, :] & own
        shares[row] = less.mean(1)
    return shares
