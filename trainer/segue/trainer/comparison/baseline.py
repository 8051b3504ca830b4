"""The baselines of a comparison: logistic regression on band statistics, and chance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from segue.core.features.config import FeatureConfig
from segue.trainer.comparison.measure import measures_of
from segue.trainer.comparison.rows import Row
from segue.trainer.data.train_valid_split import TrainValidSplit
from segue.trainer.evaluation.baselines import chance, regression_on_bands
from segue.trainer.evaluation.known_artists import sample_tracks
from segue.trainer.evaluation.predictions import Predictions

REGRESSION = "logistic regression on band statistics"
BY_POSTERIOR = "the same, recommending by its posterior"


def measure_baselines(data: TrainValidSplit, config: FeatureConfig) -> tuple[tuple[Row, Row], dict[str, float]]:
    """Measures the baselines.

    Args:
        data: the clips of a split.
        config: the front end.

    Returns:
        The rows of the regression, with its statistics and with its posterior as embedding; and accuracy, log_loss and
        precision of chance.
    """
    predictions, pool = regression_on_bands(data.train, data.validation, data.labels, config)
    sample = sample_tracks(predictions.tracks, predictions.genres)
    both = ((predictions, pool), (_embed_by_posterior(predictions), _embed_by_posterior(pool)))
    by_statistics, by_posterior = (
        {name: values[None] for name, values in measures_of(*sides).items()} for sides in both
    )
    rows = (
        Row(REGRESSION, (), predictions.tracks, sample, by_statistics, "the statistics themselves"),
        Row(BY_POSTERIOR, (), predictions.tracks, sample, by_posterior, "its posterior"),
    )
    return rows, chance(predictions, pool)


def _embed_by_posterior(predictions: Predictions) -> Predictions:
    lengths = np.linalg.norm(predictions.posterior, axis=1, keepdims=True)
    return replace(predictions, embedding=predictions.posterior / lengths)
