"""The clips of a run, divided by its split."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from segue.trainer.data.dataset import Dataset, labels_of
from segue.trainer.errors import DataUnusable, SplitMismatch
from segue.trainer.splits.split import TRAIN, VALID, Split


@dataclass(frozen=True)
class TrainValidSplit:
    """The clips of a run.

    Attributes:
        learnt: those that the network learns from.
        valid: those that choose the epoch and fit the temperature.
        labels: the genres, in the order of the posterior.
        split: what parted them.
    """

    learnt: Dataset
    valid: Dataset
    labels: tuple[str, ...]
    split: Split

    @classmethod
    def of(cls, dataset: Dataset, split: Split) -> TrainValidSplit:
        """Parts a data set.

        Raises:
            DataUnusable: a side is empty, there are fewer than two genres, a genre is only judged by, or a clip's
                features are not finite.
            SplitMismatch: a recording stands on two sides, and the split does not say that it leaks.
        """
        learnt = dataset.where(lambda track: split.side(track) == TRAIN)
        valid = dataset.where(lambda track: split.side(track) == VALID)
        for clip in (*learnt.clips, *valid.clips):
            if not np.isfinite(clip.decibels).all():
                raise DataUnusable(f"{clip.track} holds features that are not finite numbers. Make the archive again.")
        if not learnt.clips or not valid.clips:
            side = VALID if learnt.clips else TRAIN
            raise DataUnusable(
                f"No usable clip is on the side {side!r} of {split.name!r}. Name another input or split."
            )
        _check_copies(learnt, valid, split)
        labels = labels_of(learnt.genres.values())
        stray = sorted(set(valid.genres.values()) - set(labels))
        if stray:
            raise DataUnusable(f"There are clips of {', '.join(stray)} to judge by, but none to learn from. Add some.")
        return cls(learnt, valid, labels, split)


def _check_copies(learnt: Dataset, valid: Dataset, split: Split) -> None:
    for one, other in Dataset(learnt.clips + valid.clips).copies if not split.leaky else ():
        if split.side(one) != split.side(other):
            raise SplitMismatch(
                f"The split {split.name!r} leaks: {one} and {other} are the same recording, bit for bit, and stand on "
                "two sides. Remove one, or put both on one side."
            )


def data_digest(sides: TrainValidSplit) -> str:
    """The SHA-256 of all clips of a run, in hexadecimal."""
    return hashlib.sha256(f"{sides.learnt.digest}{sides.valid.digest}".encode()).hexdigest()
