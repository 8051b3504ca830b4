"""Judges heads by cross-validation over artists, beside what they must beat, in the same folds."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold

from segue.trainer.accurate.head import MIN_TRACKS, WINDOWS, Head, HeadPlan, train_head
from segue.trainer.accurate.musicnn import TAGS
from segue.trainer.accurate.tags import TaggedTrack
from segue.trainer.arrays import Floats
from segue.trainer.errors import DataUnusable
from segue.trainer.evaluation.metrics import K_VALUES, precision_of_each
from segue.trainer.splits.strategies import artist_groups

FOLDS = 5
_K = K_VALUES[-1]
_REMEDY = "Give it tracks of more artists; a track that GTZAN's index does not know is an artist of its own."
_LINEAR_C = 10.0

Answer = Callable[[Head, Floats, NDArray[np.bool_]], dict[str, Floats]]
"""The posterior and the embedding of clips by a head, from tags [clips, w, 50] and a mask [clips, w]."""


@dataclass(frozen=True)
class CrossValidated:
    """What heads say of tracks of artists that they did not learn from.

    Attributes:
        genres: of the tracks [n], as positions among the labels.
        posterior: [n, genres], each row by the head that was not taught the track's artist.
        embedding: [n, e], likewise.
        window_posteriors: of each track's windows, [w, genres].
        linear: [n, genres] by what must be beaten: logistic regression (C = 10) on the mean tags, in the same folds.
        precision: at 10 of each track [n], with every track of another artist recommended by the same head; NaN where
            there are fewer than 10.
        precision_of_tags: the same by the cosine of the mean tags.
    """

    genres: NDArray[np.int64]
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
    answer: Answer,
    tell: Callable[[int], None] = lambda fold: None,
) -> CrossValidated:
    """Trains a head for each of five folds that keep the tracks of an artist together.

    Raises:
        DataUnusable: a genre has too few artists for five folds.
    """
    heard = _TagArrays.of(tracks, labels)
    rows: dict[int, _Row] = {}
    for fold, (learnt, held) in enumerate(_folds(heard, labels, plan.seed)):
        tell(fold)
        head = train_head([tracks[place] for place in learnt], labels, plan)
        rows |= dict(zip(held.tolist(), _judge(heard, learnt, held, answer(head, heard.tags, heard.mask)), strict=True))
    ordered = [rows[place] for place in range(len(tracks))]
    return CrossValidated(
        genres=heard.genres,
        posterior=np.stack([row.posterior for row in ordered]),
        embedding=np.stack([row.embedding for row in ordered]),
        window_posteriors=tuple(row.windows for row in ordered),
        linear=np.stack([row.linear for row in ordered]),
        precision=np.array([row.precision for row in ordered]),
        precision_of_tags=_precision(heard, np.arange(len(tracks)), heard.means),
    )


@dataclass(frozen=True)
class _TagArrays:
    """Tracks as arrays: genres and groups [n], tags [n, 5, 50], mask [n, 5] and mean tags [n, 50]."""

    genres: NDArray[np.int64]
    groups: NDArray[np.str_]
    tags: Floats
    mask: NDArray[np.bool_]
    means: Floats

    @classmethod
    def of(cls, tracks: Sequence[TaggedTrack], labels: tuple[str, ...]) -> _TagArrays:
        tags, mask = padded(tracks)
        groups = artist_groups(track.track for track in tracks)
        return cls(
            genres=np.array([labels.index(track.genre) for track in tracks]),
            groups=np.array([groups[track.track] for track in tracks]),
            tags=tags,
            mask=mask,
            means=tags.sum(1) / mask.sum(1, keepdims=True),
        )


@dataclass(frozen=True)
class _Row:
    """What is said of one track by a head that was not taught its artist."""

    posterior: Floats
    embedding: Floats
    windows: Floats
    linear: Floats
    precision: float


def _judge(
    heard: _TagArrays, learnt: NDArray[np.int64], held: NDArray[np.int64], answers: dict[str, Floats]
) -> list[_Row]:
    model = LogisticRegression(C=_LINEAR_C, max_iter=5_000).fit(heard.means[learnt], heard.genres[learnt])
    linear = model.predict_proba(heard.means[held])
    precision = _precision(heard, held, answers["embedding"])
    return [
        _Row(
            posterior=answers["posterior"][place],
            embedding=answers["embedding"][place],
            windows=answers["window_posterior"][place][heard.mask[place]],
            linear=linear[row],
            precision=float(precision[row]),
        )
        for row, place in enumerate(held)
    ]


def padded(tracks: Sequence[TaggedTrack]) -> tuple[Floats, NDArray[np.bool_]]:
    """Tags [n, 5, 50] of the windows that are heard in service, and which of them are there [n, 5]."""
    tags, mask = np.zeros((len(tracks), WINDOWS, TAGS), np.float32), np.zeros((len(tracks), WINDOWS), bool)
    for row, track in enumerate(tracks):
        heard = track.spread(WINDOWS)
        tags[row, : len(heard)], mask[row, : len(heard)] = heard, True
    return tags, mask


def _folds(heard: _TagArrays, labels: tuple[str, ...], seed: int) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """The tracks that are learnt from and those that are held back, five times."""
    _check_artists(heard, labels)
    folder = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    try:
        with warnings.catch_warnings():
            # A genre with fewer tracks than folds is not judged in each of them, which is no harm.
            warnings.filterwarnings("ignore", "The least populated class", UserWarning)
            parts = list(folder.split(heard.genres, heard.genres, heard.groups))
    except ValueError as error:
        raise DataUnusable(f"Every genre has fewer than {FOLDS} tracks. {_REMEDY}") from error
    for learnt, held in parts:
        counts = np.bincount(heard.genres[learnt], minlength=len(labels))
        if lost := [label for label, count in zip(labels, counts, strict=True) if count < MIN_TRACKS]:
            raise DataUnusable(f"A fold has too little left to learn {', '.join(lost)} from. {_REMEDY}")
        if not len(held):
            raise DataUnusable(f"The artists are too few for {FOLDS} folds. {_REMEDY}")
    return parts


def _check_artists(heard: _TagArrays, labels: tuple[str, ...]) -> None:
    for genre, label in enumerate(labels):
        if len(np.unique(heard.groups[heard.genres == genre])) < MIN_TRACKS:
            raise DataUnusable(f"All tracks of {label} are of one artist, and none is left to judge by. {_REMEDY}")


def _precision(heard: _TagArrays, seeds: NDArray[np.int64], vectors: Floats) -> NDArray[np.float64]:
    """The share of a seed's genre in its first 10 recommendations [seeds], none of them of the seed's own artist.

    NaN where there are fewer than 10 tracks of other artists.
    """
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosine = unit[seeds] @ unit.T
    own = heard.groups[seeds][:, None] == heard.groups
    cosine[own] = -np.inf
    shares = precision_of_each(_K, cosine, heard.genres[seeds], heard.genres)
    return np.where((~own).sum(1) < _K, np.nan, shares)
