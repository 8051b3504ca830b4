"""Draws folds that keep the tracks of an artist together, for every cross-validation."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from segue.trainer.arrays import Fold, Positions
from segue.trainer.data.dataset import Dataset, genres_of, labels_of
from segue.trainer.errors import DataUnusable
from segue.trainer.splits.split import artist_groups

FOLDS = 5
"""Number of folds."""

MIN_TRACKS = 2
"""Smallest number of tracks of a genre to train on, since one track has no spread."""

UNKNOWN = "A clip whose artist GTZAN's index does not name counts as an artist of its own, and copies as one."
"""How artists are counted in folds."""

_REMEDY = f"Give it clips of more artists. {UNKNOWN}"


def artists_of(dataset: Dataset) -> NDArray[np.str_]:
    """Returns the artist of each clip [n], named after a clip; copies of one recording count as of one artist."""
    groups = artist_groups(dataset.genres, dataset.copies)
    return np.array([groups[clip.track] for clip in dataset.clips])


def draw_folds(dataset: Dataset, seed: int) -> list[Fold]:
    """Draws five folds of clips; see ``artist_folds``.

    Raises:
        DataUnusable: there are fewer than two genres, or a genre has too few artists for five folds.
    """
    labels = labels_of(dataset.genres.values())
    return artist_folds(genres_of(dataset, labels), artists_of(dataset), labels, seed)


def artist_folds(genres: Positions, groups: NDArray[np.str_], labels: tuple[str, ...], seed: int) -> list[Fold]:
    """Draws five folds that keep the tracks of an artist together, as evenly over the genres as that allows.

    Args:
        genres: genre of each track [n], as a position among the labels.
        groups: artist of each track [n].
        labels: the genres.
        seed: seed of the draw.

    Returns:
        The training rows and the held-out rows of each fold.

    Raises:
        DataUnusable: a genre has too few artists for five folds.
    """
    _check_counts(genres, groups, labels)
    splitter = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # It warns of a genre with fewer tracks than folds. That is no problem: the folds are checked below.
        warnings.simplefilter("ignore", UserWarning)
        folds = list(splitter.split(genres, genres, groups))
    for train, held_out in folds:
        counts = np.bincount(genres[train], minlength=len(labels))
        if lost := [label for label, count in zip(labels, counts, strict=True) if count < MIN_TRACKS]:
            raise DataUnusable(f"A fold has too few tracks of {', '.join(lost)} to train on. {_REMEDY}")
        if not len(held_out):
            raise DataUnusable(f"There are too few artists for {FOLDS} folds. {_REMEDY}")
    return folds


def _check_counts(genres: Positions, groups: NDArray[np.str_], labels: tuple[str, ...]) -> None:
    for genre, label in enumerate(labels):
        if len(np.unique(groups[genres == genre])) < MIN_TRACKS:
            raise DataUnusable(f"All tracks of {label} are of one artist, so none can be held out. {_REMEDY}")
    if np.bincount(genres).max() < FOLDS:
        raise DataUnusable(f"Every genre has fewer than {FOLDS} tracks. {_REMEDY}")
    if len(np.unique(groups)) < FOLDS:
        raise DataUnusable(f"There are too few artists for {FOLDS} folds. {_REMEDY}")
