"""The novelty of a clip: how unlike all genres of the training tracks it sounds, by its mean tags."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from sklearn.metrics import roc_auc_score

from segue.trainer.arrays import AnyFloats, Floats, Positions
from segue.trainer.evaluation.artists import ArtistSample, Interval

KNOWN_SHARE = 0.9
"""Share of tracks of the known genres, by artists that were held out, whose novelty is within the limit."""

_SHRINKAGE = 0.2
# Tags are in [0, 1]. Without a least variance, the covariance of tracks that are all the same has no inverse.
_MIN_VARIANCE = 1e-6


@dataclass(frozen=True)
class Novelty:
    """Measures novelty: the relative Mahalanobis distance (Ren et al. 2021).

    That is the squared Mahalanobis distance to the nearest genre, with the covariance that all genres share, less the
    distance to all tracks together. Both covariances are shrunk by 0.2 towards a multiple of the identity.

    Attributes:
        centres: mean of each genre, [genres, 50].
        precision: inverse [50, 50] of the covariance within genres.
        centre: mean [50] of all tracks.
        total_precision: inverse [50, 50] of the covariance of all tracks.
    """

    centres: Floats
    precision: Floats
    centre: Floats
    total_precision: Floats

    @classmethod
    def fit(cls, means: Floats, genres: Positions) -> Novelty:
        """Fits the distances.

        Args:
            means: mean tags of tracks, [n, 50].
            genres: their genres [n], as numbers; those without tracks do not count.
        """
        places = np.unique(genres, return_inverse=True)[1]
        centres = np.stack([means[places == place].mean(0) for place in range(places.max() + 1)])
        return cls(centres, _precision(means - centres[places]), means.mean(0), _precision(means - means.mean(0)))

    def __call__(self, means: tf.Tensor) -> tf.Tensor:
        """Computes the novelty [n] of mean tags [n, 50]."""
        to_genres = _squared_distances(means[:, None, :] - self.centres, self.precision)
        return tf.reduce_min(to_genres, -1) - _squared_distances(means - self.centre, self.total_precision)


def novelty_limit(novelty: AnyFloats) -> float:
    """Returns the limit above which a clip counts as of no known genre, from the novelty [n] of held-out tracks."""
    return float(np.quantile(novelty, KNOWN_SHARE))


def held_out_genre_auroc(
    means: Floats, genres: Positions, folds: Iterable[tuple[Positions, Positions]], sample: ArtistSample
) -> Interval:
    """Computes how well novelty separates tracks of a genre that was held out from those of the other genres.

    Each genre is held out in turn, and all tracks are measured without their artists.

    Args:
        means: mean tags of the tracks, [n, 50].
        genres: their genres [n], as numbers from 0.
        folds: rows to fit on and rows that are held out, which are all rows together.
        sample: genres and artists of the tracks.

    Returns:
        The area under the ROC curve (0.5 by chance), the mean over the genres, and its interval over artists.
    """
    folds, every = list(folds), np.unique(genres)
    measured = {genre: _measure_without(genre, means, genres, folds) for genre in every}

    def mean_area(weights: AnyFloats) -> float:
        areas = [roc_auc_score(genres == genre, measured[genre], sample_weight=weights) for genre in every]
        return float(np.mean(areas))

    return sample.interval_of(mean_area)


def _measure_without(
    genre: int, means: Floats, genres: Positions, folds: Iterable[tuple[Positions, Positions]]
) -> AnyFloats:
    novelty = np.empty(len(genres))
    for train, held_out in folds:
        known = train[genres[train] != genre]
        novelty[held_out] = Novelty.fit(means[known], genres[known])(tf.constant(means[held_out])).numpy()
    return novelty


def _precision(residuals: Floats) -> Floats:
    covariance = np.cov(residuals.T.astype(np.float64))
    width = len(covariance)
    spread = max(np.trace(covariance) / width, _MIN_VARIANCE)
    shrunk = (1 - _SHRINKAGE) * covariance + _SHRINKAGE * spread * np.eye(width)
    inverse: Floats = np.linalg.inv(shrunk).astype(np.float32)
    return inverse


def _squared_distances(differences: tf.Tensor, precision: Floats) -> tf.Tensor:
    return tf.reduce_sum(tf.tensordot(differences, tf.constant(precision), 1) * differences, -1)
