"""Fits factors of users and items to plays, and the map from content to the factors of items without plays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from segue.trainer.arrays import AnyFloats, Floats
from segue.trainer.errors import DataUnusable

ITERATIONS = 15
RIDGE = 10.0
"""Penalty of the map's weights."""


@dataclass(frozen=True)
class FactorPlan:
    """Settings of the factors.

    Attributes:
        factors: width of the factors, 1 or above.
        regularization: penalty of the factors, above 0.
        seed: seed of their first values.
        threads: number of threads, 1 or above.
    """

    factors: int
    regularization: float
    seed: int
    threads: int


@dataclass(frozen=True)
class Factors:
    """Factors whose inner product scores an item for a user; a score has no fixed range.

    Attributes:
        users: float32 [u, f].
        items: float32 [i, f].
    """

    users: Floats
    items: Floats


@dataclass(frozen=True)
class ContentMap:
    """A ridge regression of the factors of items on their content.

    Attributes:
        content_mean: float32 [d], which is subtracted from the content.
        weights: float32 [d, f].
        factor_mean: float32 [f], which is added to the result.
    """

    content_mean: Floats
    weights: Floats
    factor_mean: Floats

    def __call__(self, content: Floats) -> Floats:
        """Returns the factors [n, f] of items with content [n, d]."""
        factors: Floats = ((content - self.content_mean) @ self.weights + self.factor_mean).astype(np.float32)
        return factors


def fit_factors(plays: Any, plan: FactorPlan) -> Factors:  # noqa: ANN401 - scipy ships no types
    """Fits factors by alternating least squares (Hu, Koren and Volinsky 2008).

    A pair with plays is an observed preference with the confidence 1 + log(1 + plays), any other one is an unobserved
    one with the confidence 1.

    Args:
        plays: log(1 + plays), a sparse array [u, i].
        plan: settings.

    Raises:
        DataUnusable: the factors are no finite numbers.
    """
    with threadpool_limits(plan.threads):
        model = AlternatingLeastSquares(
            factors=plan.factors,
            regularization=plan.regularization,
            alpha=1.0,
            iterations=ITERATIONS,
            num_threads=plan.threads,
            random_state=plan.seed,
        )
        confidence = csr_matrix((plays.data + 1, plays.indices, plays.indptr), shape=plays.shape)
        model.fit(confidence, show_progress=False)
    if not (np.isfinite(model.user_factors).all() and np.isfinite(model.item_factors).all()):
        raise DataUnusable("The factors are no finite numbers. Name a larger --regularization.")
    return Factors(model.user_factors, model.item_factors)


def fit_map(content: Floats, factors: Floats, penalty: float = RIDGE) -> ContentMap:
    """Fits the map from content [i, d] to factors [i, f] by ridge regression."""
    content_mean: Floats = content.mean(0)
    factor_mean: Floats = factors.mean(0)
    centred = (content - content_mean).astype(np.float64)
    gram = centred.T @ centred + penalty * np.eye(centred.shape[1])
    weights: AnyFloats = np.linalg.solve(gram, centred.T @ (factors - factor_mean))
    return ContentMap(content_mean, weights.astype(np.float32), factor_mean)
