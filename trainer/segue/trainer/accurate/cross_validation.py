"""Evaluates heads by cross-validation over artists."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from segue.trainer.accurate.head import JUDGES, MIN_TRACKS, HeadPlan, train_head
from segue.trainer.accurate.head_graph import HeadGraph
from segue.trainer.accurate.musicnn import TAGS
from segue.trainer.arrays import Floats
from segue.trainer.data.tagged_track import TaggedTrack
from segue.trainer.errors import DataUnusable
from segue.trainer.evaluation.precision import K_VALUES, precision_of_each
from segue.trainer.splits.split import artist_groups

FOLDS = 5
_K = K_VALUES[-1]
_REMEDY = "Give it tracks of more artists; a track that is not in GTZAN's index counts as an artist of its own."

Design = tuple[str, ...]
"""The judges of a head that count; see ``segue.trainer.accurate.head.JUDGES``."""

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
        novelty: novelty of each track [n], by the same heads.
        precision: precision at 10 of each track [n], with the tracks of all other artists recommended by the same
            head; NaN where there are fewer than 10.
    """

    genres: Rows
    posterior: Floats
    embedding: Floats
    window_posteriors: tuple[Floats, ...]
    novelty: Floats
    precision: NDArray[np.float64]


def cross_validate(
    tracks: Sequence[TaggedTrack],
    labels: tuple[str, ...],
    plan: HeadPlan,
    designs: Sequence[Design] = (JUDGES,),
    report: Callable[[int], None] = lambda fold: None,
) -> dict[Design, CrossValidated]:
    """Trains a head for each of five folds that keep the tracks of an artist together.

    Args:
        tracks: the tracks.
        labels: the genres, in the order of the posterior.
        plan: settings of the heads; its seed also draws the folds.
        designs: judges that predict together.
        report: called before each fold with its number, from 0.

    Returns:
        The predictions of each design, by the same heads.

    Raises:
        DataUnusable: a genre has too few artists for five folds.
    """
    arrays = TagArrays.of(tracks, labels, plan.windows)
    results: dict[Design, dict[int, _TrackResult]] = {design: {} for design in designs}
    for fold, (train, held_out) in enumerate(artist_folds(arrays, labels, plan.seed)):
        report(fold)
        head = train_head([tracks[row] for row in train], labels, plan)
        for design, by_row in results.items():
            predicted = _predict(HeadGraph(head, judges=design), arrays)
            by_row |= dict(zip(held_out.tolist(), _evaluate_fold(arrays, held_out, predicted), strict=True))
    return {design: _collect(arrays.genres, by_row) for design, by_row in results.items()}


def precision_of_mean_tags(arrays: TagArrays) -> NDArray[np.float64]:
    """Computes the precision at 10 of each track [n] by the cosine of the mean tags; see ``CrossValidated``."""
    return other_artists_precision(arrays.genres, arrays.groups, arrays.means)


def pad_tags(tracks: Sequence[TaggedTrack], windows: int) -> tuple[Floats, NDArray[np.bool_]]:
    """Returns the tags [n, windows, 50] of the served windows, and a mask [n, windows], true where one is present."""
    tags = np.zeros((len(tracks), windows, TAGS), np.float32)
    mask = np.zeros((len(tracks), windows), bool)
    for row, track in enumerate(tracks):
        served = track.spread(windows)
        tags[row, : len(served)], mask[row, : len(served)] = served, True
    return tags, mask


@dataclass(frozen=True)
class TagArrays:
    """Tracks as arrays: genres and groups [n], tags [n, w, 50], mask [n, w] and mean tags [n, 50]."""

    genres: Rows
    groups: NDArray[np.str_]
    tags: Floats
    mask: NDArray[np.bool_]
    means: Floats

    @classmethod
    def of(cls, tracks: Sequence[TaggedTrack], labels: tuple[str, ...], windows: int) -> TagArrays:
        """Collects the arrays of tracks, with at most ``windows`` windows of each."""
        tags, mask = pad_tags(tracks, windows)
        groups = artist_groups(track.track for track in tracks)
        return cls(
            genres=np.array([labels.index(track.genre) for track in tracks]),
            groups=np.array([groups[track.track] for track in tracks]),
            tags=tags,
            mask=mask,
            means=(tags.sum(1) / mask.sum(1, keepdims=True)).astype(np.float32),
        )


@dataclass(frozen=True)
class _TrackResult:
    """Predictions for one track by the head that was trained without its artist."""

    posterior: Floats
    embedding: Floats
    windows: Floats
    novelty: float
    precision: float


def _predict(graph: HeadGraph, arrays: TagArrays) -> dict[str, Floats]:
    predicted = graph(tf.constant(arrays.tags), tf.constant(arrays.mask))
    return {name: value.numpy() for name, value in predicted.items()}


def _collect(genres: Rows, results: dict[int, _TrackResult]) -> CrossValidated:
    ordered = [results[row] for row in range(len(genres))]
    return CrossValidated(
        genres=genres,
        posterior=np.stack([result.posterior for result in ordered]),
        embedding=np.stack([result.embedding for result in ordered]),
        window_posteriors=tuple(result.windows for result in ordered),
        novelty=np.array([result.novelty for result in ordered], np.float32),
        precision=np.array([result.precision for result in ordered]),
    )


def _evaluate_fold(arrays: TagArrays, held_out: Rows, predicted: dict[str, Floats]) -> list[_TrackResult]:
    precision = other_artists_precision(arrays.genres, arrays.groups, predicted["embedding"], held_out)
    return [
        _TrackResult(
            posterior=predicted["posterior"][row],
            embedding=predicted["embedding"][row],
            windows=predicted["window_posterior"][row][arrays.mask[row]],
            novelty=float(predicted["novelty"][row]),
            precision=float(precision[place]),
        )
        for place, row in enumerate(held_out)
    ]


def artist_folds(arrays: TagArrays, labels: tuple[str, ...], seed: int) -> list[tuple[Rows, Rows]]:
    """Draws five folds that keep the tracks of an artist together.

    Args:
        arrays: the tracks.
        labels: the genres.
        seed: seed of the draw.

    Returns:
        The training rows and the held-out rows of each fold.

    Raises:
        DataUnusable: a genre has too few artists for five folds.
    """
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


def _check_counts(arrays: TagArrays, labels: tuple[str, ...]) -> None:
    for genre, label in enumerate(labels):
        if len(np.unique(arrays.groups[arrays.genres == genre])) < MIN_TRACKS:
            raise DataUnusable(f"All tracks of {label} are of one artist, so none can be held out. {_REMEDY}")
    if np.bincount(arrays.genres).max() < FOLDS:
        raise DataUnusable(f"Every genre has fewer than {FOLDS} tracks. {_REMEDY}")
    if len(np.unique(arrays.groups)) < FOLDS:
        raise DataUnusable(f"There are too few artists for {FOLDS} folds. {_REMEDY}")


def other_artists_precision(
    genres: Rows, groups: NDArray[np.str_], vectors: Floats, seeds: Rows | None = None
) -> NDArray[np.float64]:
    """Computes the precision at 10 of seeds [seeds] by the cosine of vectors, without tracks of the seed's artist.

    Args:
        genres: genre of each track [n].
        groups: artist of each track [n].
        vectors: [n, e].
        seeds: rows of the seeds, or None for all.

    Returns:
        The precision of each seed; NaN where there are fewer than 10 tracks of other artists.
    """
    seeds = np.arange(len(genres)) if seeds is None else seeds
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosine = unit[seeds] @ unit.T
    own = groups[seeds][:, None] == groups
    cosine[own] = -np.inf
    shares = precision_of_each(_K, cosine, genres[seeds], genres)
    return np.where((~own).sum(1) < _K, np.nan, shares)
