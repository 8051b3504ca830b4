"""Measures recall of rankings, with intervals over users."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from segue.trainer.arrays import AnyFloats, Positions
from segue.trainer.evaluation.artists import Interval

_RESAMPLES = 2_000


def best(scores: AnyFloats, k: int) -> Positions:
    """Returns the positions of the k highest scores [n], the first of equal ones first."""
    return np.argsort(-scores, kind="stable")[:k]


def recall_at(scores: AnyFloats, wanted: NDArray[np.bool_], k: int) -> float:
    """Returns the share of the wanted items [n], at least one, among the k highest scores [n]."""
    return float(wanted[best(scores, k)].sum() / wanted.sum())


class RecallTable:
    """The recall of several recommenders for cases of users; a user may have several cases."""

    def __init__(self) -> None:
        self._users: dict[str, list[int]] = defaultdict(list)
        self._values: dict[str, list[float]] = defaultdict(list)

    def add(self, name: str, user: int, recall: float) -> None:
        """Adds the recall of a recommender in a case of a user."""
        self._users[name].append(user)
        self._values[name].append(recall)

    @property
    def names(self) -> list[str]:
        """The recommenders, in the order in which they were first added."""
        return list(self._values)

    @property
    def users(self) -> int:
        """The number of users with a case."""
        return len(set().union(*map(set, self._users.values())))

    @property
    def cases(self) -> int:
        """The number of cases."""
        return max(map(len, self._values.values()), default=0)

    def interval(self, name: str, minus: str | None = None, seed: int = 0) -> Interval:
        """Computes the mean over the cases and its 95 % interval, by 2,000 draws of users with replacement.

        Args:
            name: the recommender.
            minus: another one with the same cases, whose recall is subtracted; or None.
            seed: seed of the draws.
        """
        values = np.array(self._values[name])
        if minus:
            values = values - np.array(self._values[minus])
        place = np.unique(self._users[name], return_inverse=True)[1]
        sums, sizes = np.bincount(place, values), np.bincount(place)
        random = np.random.default_rng(seed)
        draws = (random.integers(0, len(sums), len(sums)) for _ in range(_RESAMPLES))
        low, high = np.quantile([sums[drawn].sum() / sizes[drawn].sum() for drawn in draws], [0.025, 0.975])
        return Interval(float(values.mean()), float(low), float(high))
