"""Results of an analysis, as reports show them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segue.trainer.evaluation.artists import Interval
from segue.trainer.evaluation.calibration import ReliabilityBin
from segue.trainer.evaluation.predictions import Predictions
from segue.trainer.evaluation.recommendations.judgement import JudgedRecommendations


@dataclass(frozen=True)
class Precision:
    """The genre precision of the first k recommendations.

    Attributes:
        pool: description of the pool and the search.
        k: number of recommendations.
        precision: mean over the seeds in [0, 1], with its interval over their artists.
        random: precision of recommending at random.
    """

    pool: str
    k: int
    precision: Interval
    random: float


@dataclass(frozen=True)
class GenreRow:
    """The number of clips of a genre, and its precision, recall and F1 in [0, 1]."""

    genre: str
    clips: int
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class Analysis:
    """The content of a report.

    Attributes:
        predictions: predictions for the evaluated clips.
        figures: figures of ``evaluation_metrics``, those of the posterior before its temperature (``_raw``), where the
            evaluated clips fitted the temperature also those at temperatures that other clips fitted
            (``_cross_fitted``), and ``window_agreement``.
        confusion: number of clips [true genre, predicted genre].
        genres: results of each genre, in the order of the posterior.
        before: reliability before the temperature.
        after: reliability at the cross-fitted temperatures where there are such, else at that of the artifact.
        precisions: precision of the recommendations.
        judged: the ways to recommend, or None where they were not judged.
    """

    predictions: Predictions
    figures: dict[str, float]
    confusion: NDArray[np.int64]
    genres: tuple[GenreRow, ...]
    before: tuple[ReliabilityBin, ...]
    after: tuple[ReliabilityBin, ...]
    precisions: tuple[Precision, ...]
    judged: JudgedRecommendations | None = None
