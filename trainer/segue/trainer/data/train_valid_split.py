"""Divides the clips of a run into a training and a validation side."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np

from segue.trainer.data.dataset import Dataset, labels_of
from segue.trainer.errors import DataUnusable, SplitMismatch
from segue.trainer.splits.split import TRAIN, VALID, Split


@dataclass(frozen=True)
class TrainValidSplit:
    """The clips of a run.

    Attributes:
        train: clips that the network is trained on.
        validation: clips that select the epoch and fit the temperature.
        labels: the genres, in the order of the posterior.
        split: the split that divides them.
        pseudo_labelled: clips without labels that the network is trained on, too, with a teacher's posteriors.
        teacher: model id of that teacher, empty without such clips.
    """

    train: Dataset
    validation: Dataset
    labels: tuple[str, ...]
    split: Split
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
        for clip in (*train.clips, *validation.clips):
            if not np.isfinite(clip.decibels).all():
                raise DataUnusable(f"{clip.track} holds features that are not finite numbers. Make the archive again.")
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

    @property
    def training_set(self) -> Dataset:
        """All clips that the network is trained on: the training clips, and those without labels."""
        return Dataset(self.train.clips + self.pseudo_labelled.clips)

    @property
    def digest(self) -> str:
        """The SHA-256 of all clips, in hexadecimal."""
        sides = (self.train, self.validation, *([self.pseudo_labelled] if self.pseudo_labelled.clips else []))
        return hashlib.sha256("".join(side.digest for side in sides).encode()).hexdigest()


def _check_copies(train: Dataset, validation: Dataset, split: Split) -> None:
    for original, copy in Dataset(train.clips + validation.clips).copies if not split.leaky else ():
        if split.side(original) != split.side(copy):
            raise SplitMismatch(
                f"The split {split.name!r} leaks: {original} and {copy} are the same recording, bit for bit, and they "
                "are on different sides. Remove one, or put both on one side."
            )
