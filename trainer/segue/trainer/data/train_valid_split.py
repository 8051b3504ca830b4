"""Divides the clips of a run into a training and a validation side, or into folds."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from segue.trainer.arrays import Fold
from segue.trainer.data.dataset import Dataset, labels_of
from segue.trainer.errors import DataUnusable, SplitMismatch
from segue.trainer.splits.split import TRAIN, VALID, Split


@dataclass(frozen=True)
class TrainValidSplit:
    """The clips of a run.

    Attributes:
        train: clips that the network is trained on.
        validation: clips that select the epoch and fit the temperature; none where there are folds.
        labels: the genres, in the order of the posterior.
        split: the split that divides them.
        folds: rows of the training clips to train on and rows that are held out, of each fold of a cross-validation
            that evaluates the network; none where the validation clips do.
        pseudo_labelled: clips without labels that the network is trained on, too, with a teacher's posteriors.
        teacher: model id of that teacher, empty without such clips.
    """

    train: Dataset
    validation: Dataset
    labels: tuple[str, ...]
    split: Split
    folds: tuple[Fold, ...] = ()
    pseudo_labelled: Dataset = field(default_factory=lambda: Dataset(()))
    teacher: str = ""

    @classmethod
    def of(cls, dataset: Dataset, split: Split) -> TrainValidSplit:
        """Divides a data set.

        Raises:
            DataUnusable: a side is empty, there are fewer than two genres, a genre has validation clips only, or a
                clip's features are not finite.
            SplitMismatch: a recording is on both sides, and the split does not say that it leaks.
        """
        train = dataset.select(lambda track: split.side(track) == TRAIN)
        validation = dataset.select(lambda track: split.side(track) == VALID)
        _check_finite(Dataset(train.clips + validation.clips))
        if not train.clips or not validation.clips:
            side = VALID if train.clips else TRAIN
            raise DataUnusable(
                f"No usable clip is on the side {side!r} of {split.name!r}. Name another input or split."
            )
        _check_copies(train, validation, split)
        labels = labels_of(train.genres.values())
        untrained = sorted(set(validation.genres.values()) - set(labels))
        if untrained:
            raise DataUnusable(
                f"{', '.join(untrained)}: there are clips to validate on, but none to train on. Add training clips."
            )
        return cls(train, validation, labels, split)

    @classmethod
    def of_folds(cls, labelled: Dataset, split: Split, folds: Sequence[Fold]) -> TrainValidSplit:
        """Makes all clips training clips, with the folds of a cross-validation over them.

        Args:
            labelled: the clips on the training and the validation side of the split.
            split: the split.
            folds: rows of the clips to train on, and rows that are held out.

        Raises:
            DataUnusable: there are fewer than two genres, or a clip's features are not finite.
        """
        _check_finite(labelled)
        labels = labels_of(labelled.genres.values())
        return cls(labelled, Dataset((), labelled.dropped), labels, split.joined(), tuple(folds))

    def fold(self, number: int) -> TrainValidSplit:
        """Returns a fold, whose validation clips are held out."""
        train, held_out = (Dataset(tuple(self.train.clips[row] for row in rows)) for rows in self.folds[number])
        return replace(self, train=train, validation=held_out, folds=())

    @property
    def evaluated(self) -> Dataset:
        """The clips that evaluate the network, or the networks of the folds."""
        return self.train if self.folds else self.validation

    @property
    def training_set(self) -> Dataset:
        """All clips that the network is trained on: the training clips, and those without labels."""
        return Dataset(self.train.clips + self.pseudo_labelled.clips)

    @property
    def digest(self) -> str:
        """The SHA-256 of all clips, in hexadecimal."""
        sides = (self.train, self.validation, *([self.pseudo_labelled] if self.pseudo_labelled.clips else []))
        return hashlib.sha256("".join(side.digest for side in sides).encode()).hexdigest()


def _check_finite(dataset: Dataset) -> None:
    for clip in dataset.clips:
        if not np.isfinite(clip.decibels).all():
            raise DataUnusable(f"{clip.track} holds features that are not finite numbers. Make the archive again.")


def _check_copies(train: Dataset, validation: Dataset, split: Split) -> None:
    for original, copy in Dataset(train.clips + validation.clips).copies if not split.leaky else ():
        if split.side(original) != split.side(copy):
            raise SplitMismatch(
                f"The split {split.name!r} leaks: {original} and {copy} are the same recording, bit for bit, and they "
                "are on different sides. Remove one, or put both on one side."
            )
