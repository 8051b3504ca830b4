"""Baselines: logistic regression on statistics of the bands, and chance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from segue.core.features.config import FeatureConfig
from segue.trainer.arrays import AnyFloats
from segue.trainer.data.dataset import Dataset
from segue.trainer.data.front_end import windows_in_clip
from segue.trainer.data.labelled_windows import cut_windows
from segue.trainer.evaluation.calibration import log_softmax
from segue.trainer.evaluation.predictions import Predictions

# The value of the first linear path of segue-fast, which had statistics of the bands only.
REGULARISATION = 3e-3


def band_statistics(windows: AnyFloats) -> AnyFloats:
    """Computes mean, spread and mean step [n, 3 * bands] of each band of windows [n, bands, columns]."""
    steps = np.abs(np.diff(windows, axis=-1)).mean(-1)
    return np.concatenate([windows.mean(-1), windows.std(-1), steps], axis=1)


def regression_on_bands(
    train: Dataset, validation: Dataset, labels: tuple[str, ...], config: FeatureConfig
) -> tuple[Predictions, Predictions]:
    """Predicts clips by logistic regression on the band statistics of their windows.

    A clip's posterior is the product of its windows' posteriors, its embedding the mean of their standardised
    statistics, of length 1.

    Args:
        train: training clips.
        validation: clips to predict; the regression is not fitted on them.
        labels: the genres, in the order of the posterior.
        config: the front end.

    Returns:
        Predictions for the validation clips and for the training clips.
    """
    train_statistics, statistics = (_statistics(side, config) for side in (train, validation))
    genres = [labels.index(clip.genre) for clip in train.clips]
    targets = np.repeat(genres, [len(windows) for windows in train_statistics])
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(C=REGULARISATION, max_iter=500))
    pipeline.fit(np.concatenate(train_statistics), targets)
    return _predict(pipeline, validation, statistics, labels), _predict(pipeline, train, train_statistics, labels)


def chance(predictions: Predictions, pool: Predictions) -> dict[str, float]:
    """Computes accuracy and log-loss in nats of equal probabilities, and the precision of random recommendations."""
    genres = len(predictions.labels)
    return {
        "accuracy": 1 / genres,
        "log_loss": float(np.log(genres)),
        "precision": float((predictions.genres[:, None] == pool.genres[None]).mean()),
    }


def _statistics(side: Dataset, config: FeatureConfig) -> list[AnyFloats]:
    clips = (cut_windows(clip, config, windows_in_clip(config.columns)) for clip in side.clips)
    return [band_statistics(clip.windows.values) for clip in clips]


def _predict(pipeline: Pipeline, side: Dataset, statistics: list[AnyFloats], labels: tuple[str, ...]) -> Predictions:
    scaler = pipeline[0]
    windows: list[NDArray[np.float64]] = [pipeline.predict_proba(clip) for clip in statistics]
    means = np.stack([scaler.transform(clip).mean(0) for clip in statistics])
    log_posterior = np.stack([np.log(clip).mean(0) for clip in windows])
    return Predictions(
        tracks=tuple(clip.track for clip in side.clips),
        genres=np.array([labels.index(clip.genre) for clip in side.clips]),
        labels=labels,
        posterior=np.exp(log_softmax(log_posterior)).astype(np.float32),
        embedding=(means / np.linalg.norm(means, axis=1, keepdims=True)).astype(np.float32),
        window_posteriors=tuple(clip.astype(np.float32) for clip in windows),
    )
