"""The results of an analysis, as reports show them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segue.trainer.evaluation.metrics import ReliabilityBin
from segue.trainer.evaluation.predictions import Predictions


@dataclass(frozen=True)
class Precision:
    """The genre precision of the first k recommendations.

    Attributes:
        what: from what is recommended, and how it is searched.
        k: how many are recommended.
        mean: over the seeds, in [0, 1].
        low: the lower end of its 95 % interval, by resampling the seeds, or the tracks that they are chunks of.
        high: the upper end.
        random: what recommending at random has.
    """

    what: str
    k: int
    mean: float
    low: float
    high: float
    random: float


@dataclass(frozen=True)
class GenreRow:
    """How one genre fares: its clips, and precision, recall and F1 in [0, 1]."""

    genre: str
    clips: int
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class Analysis:
    """What a report is made of.

    Attributes:
        judged: the answers.
        figures: those of ``evaluation_metrics``, those of the posterior before its temperature (``_raw``) and, where
            the judged clips fitted it, at temperatures that were fitted on others of them (``_cross_fitted``), and
            ``window_agreement``.
        confusion: clips [true genre, answered genre].
        genres: each genre, in the order of the posterior.
        before: reliability before the temperature.
        after: reliability at the cross-fitted temperatures where there are such, else as served.
        precisions: of the recommendations.
    """

    judged: Predictions
    figures: dict[str, float]
    confusion: NDArray[np.int64]
    genres: tuple[GenreRow, ...]
    before: tuple[ReliabilityBin, ...]
    after: tuple[ReliabilityBin, ...]
    precisions: tuple[Precision, ...]
