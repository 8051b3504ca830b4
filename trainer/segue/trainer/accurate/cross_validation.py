"""Evaluates heads by cross-validation over artists, together with their baselines in the same folds."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold

from segue.trainer.accurate.head import MIN_TRACKS, SERVED_WINDOWS, Head, HeadPlan, train_head
from segue.trainer.accurate.musicnn import TAGS
from segue.trainer.accurate.tags import TaggedTrack
from segue.trainer.arrays import Floats
from segue.trainer.errors import DataUnusable
from segue.trainer.evaluation.metrics import K_VALUES, precision_of_each
from segue.trainer.splits.strategies import artist_groups

FOLDS = 5
_K = K_VALUES[-1]
_REMEDY = "Give it tracks of more artists; a track that is not in GTZAN's index counts as an artist of its own."
_LINEAR_C = 10.0

HeadPredictor = Callable[[Head, Floats, NDArray[np.bool_]], dict[str, Floats]]
"""Predicts posterior, embedding and window_posterior by a head, from tags [clips, w, 50] and a mask [clips, w]."""

Rows = NDArray[np.int64]
"""Rows of tracks."""


@dataclass(frozen=True)
class CrossValidated:
    """Predictions for tracks by heads that were trained without their artists.

    Attributes:
        genres: true genres [n], as positions among the labels.
        posterior: [n, genres], each row by the head that was trained without the track's artist.
        embedding: [n, e], by the same heads.
        window_posteriors: posteriors [w, genres] of each track's windows.
        linear: posterior [n, genres] of the baseline: logistic regression (C = 10) on the mean tags, in the same folds.
        precision: precision at 10 of each track [n], with the tracks of all other artists recommended by the same
            head; NaN where there are fewer than 10.
        precision_of_tags: the same by the cosine of the mean tags.
    """

    genres: Rows
    posterior: Floats
    embedding: Floats
    window_posteriors: tuple[Floats, ...]
    linear: Floats
    precision: NDArray[np.float64]
    precision_of_tags: NDArray[np.float64]


def cross_validate(
    tracks: Sequence[TaggedTrack],
    labels: tuple[str, ...],
    plan: HeadPlan,
    predict: HeadPredictor,
    report: Callable[[int], None] = lambda fold: None,
) -> CrossValidated:
    """Trains a head for each of five folds that keep the tracks of an artist together.

    Args:
        tracks: the tracks.
        labels: the genres, in the order of the posterior.
        plan: settings of the heads.
        predict: predicts tracks by a head.
        report: called before each fold with its number, from 0.

    Raises:
        DataUnusable: a genre has too few artists for five folds.
    """
    arrays = _TagArrays.of(tracks, labels)
    results: dict[int, _TrackResult] = {}
    for fold, (train, held_out) in enumerate(_folds(arrays, labels, plan.seed)):
        report(fold)
        head = train_head([tracks[row] for row in train], labels, plan)
        predicted = predict(head, arrays.tags, arrays.mask)
        results |= dict(zip(held_out.tolist(), _evaluate_fold(arrays, train, held_out, predicted), strict=True))
    ordered = [results[row] for row in range(len(tracks))]
    return CrossValidated(
        genres=arrays.genres,
        posterior=np.stack([result.posterior for result in ordered]),
        embedding=np.stack([result.embedding for result in ordered]),
        window_posteriors=tuple(result.windows for result in ordered),
        linear=np.stack([result.linear for result in ordered]),
        precision=np.array([result.precision for result in ordered]),
        precision_of_tags=_precision(arrays, np.arange(len(tracks)), arrays.means),
    )


def pad_tags(tracks: Sequence[TaggedTrack]) -> tuple[Floats, NDArray[np.bool_]]:
    """Returns the tags [n, 5, 50] of the served windows, and a mask [n, 5] that is true where one is present."""
    tags = np.zeros((len(tracks), SERVED_WINDOWS, TAGS), np.float32)
    mask = np.zeros((len(tracks), SERVED_WINDOWS), bool)
    for row, track in enumerate(tracks):
        served = track.spread(SERVED_WINDOWS)
        tags[row, : len(served)], mask[row, : len(served)] = served, True
    return tags, mask


@dataclass(frozen=True)
class _TagArrays:
    """Tracks as arrays: genres and groups [n], tags [n, 5, 50], mask [n, 5] and mean tags [n, 50]."""

    genres: Rows
    groups: NDArray[np.str_]
    tags: Floats
    mask: NDArray[np.bool_]
    means: Floats

    @classmethod
    def of(cls, tracks: Sequence[TaggedTrack], labels: tuple[str, ...]) -> _TagArrays:
        tags, mask = pad_tags(tracks)
        groups = artist_groups(track.track for track in tracks)
        return cls(
            genres=np.array([labels.index(track.genre) for track in tracks]),
            groups=np.array([groups[track.track] for track in tracks]),
            tags=tags,
            mask=mask,
            means=tags.sum(1) / mask.sum(1, keepdims=True),
        )


@dataclass(frozen=True)
class _TrackResult:
    """Predictions for one track by the head that was trained without its artist."""

    posterior: Floats
    embedding: Floats
    windows: Floats
    linear: Floats
    precision: float


def _evaluate_fold(arrays: _TagArrays, train: Rows, held_out: Rows, predicted: dict[str, Floats]) -> list[_TrackResult]:
    model = LogisticRegression(C=_LINEAR_C, max_iter=5_000).fit(arrays.means[train], arrays.genres[train])
    linear = model.predict_proba(arrays.means[held_out])
    precision = _precision(arrays, held_out, predicted["embedding"])
    return [
        _TrackResult(
            posterior=predicted["posterior"][row],
            embedding=predicted["embedding"][row],
            windows=predicted["window_posterior"][row][arrays.mask[row]],
            linear=linear[place],
            precision=float(precision[place]),
        )
        for place, row in enumerate(held_out)
    ]


def _folds(arrays: _TagArrays, labels: tuple[str, ...], seed: int) -> list[tuple[Rows, Rows]]:
    """Returns the training rows and the held-out rows of each fold."""
    _check_counts(arrays, labels)
    splitter = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # It warns of a genre with fewer tracks than folds. That is no problem: the folds are checked below.
        warnings.simplefilter("ignore", UserWarning)
        folds = list(splitter.split(arrays.genres, arrays.genres, arrays.groups))
    for train, held_out in folds:
        counts = np.bincount(arrays.genres[train], minlength=len(labels))
        if lost := [label for label, count in zip(labels, counts, strict=True) if count < MIN_TRACKS]:
            raise DataUnusable(f"A fold has too few tracks of {', '.join(lost)} to train on. {_REMEDY}")
        if not len(held_out):
            raise DataUnusable(f"There are too few artists for {FOLDS} folds. {_REMEDY}")
    return folds


def _check_counts(arrays: _TagArrays, labels: tuple[str, ...]) -> None:
    for genre, label in enumerate(labels):
        if len(np.unique(arrays.groups[arrays.genres == genre])) < MIN_TRACKS:
            raise DataUnusable(f"All tracks of {label} are of one artist, so none can be held out. {_REMEDY}")
    if np.bincount(arrays.genres).max() < FOLDS:
        raise DataUnusable(f"Every genre has fewer than {FOLDS} tracks. {_REMEDY}")
    if len(np.unique(arrays.groups)) < FOLDS:
        raise DataUnusable(f"There are too few artists for {FOLDS} folds. {_REMEDY}")


def _precision(arrays: _TagArrays, seeds: Rows, vectors: Floats) -> NDArray[np.float64]:
    """Computes the precision at 10 of seeds [seeds], without tracks of the seed's artist.

    It is NaN where there are fewer than 10 tracks of other artists.
    """
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosine = unit[seeds] @ unit.T
    own = arrays.groups[seeds][:, None] == arrays.groups
    cosine[own] = -np.inf
    shares = precision_of_each(_K, cosine, arrays.genres[seeds], arrays.genres)
    return np.where((~own).sum(1) < _K, np.nan, shares)
