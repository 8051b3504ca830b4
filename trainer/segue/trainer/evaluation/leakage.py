"""Counts the evaluated tracks that a network was trained or validated on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from segue.core.model.artifact import Manifest
from segue.trainer.data.dataset import track_of
from segue.trainer.splits.split import SAVED, SHIPPED, TRAIN, VALID, Split, known_duplicates, load_split, shipped_split

TRAINING_SIDE = "TRAINING SIDE"
"""Marks evaluated tracks that the network was trained on, in every output."""


@dataclass(frozen=True)
class Leakage:
    """The number of evaluated tracks, or of their chunks, that a network has seen; None where that is not recorded.

    Attributes:
        trained_on: tracks that it was trained on, whole or in part, by their names or as a known duplicate.
        selected_on: other tracks that selected its epoch and fitted its temperature.
    """

    trained_on: int | None
    selected_on: int | None

    def sentences(self) -> list[str]:
        """Returns the warnings for a reader of the figures; none if the network has seen no track."""
        if self.trained_on is None:
            return ["the artifact does not record its training tracks"]
        counts = [
            (self.trained_on, f"of them on the {TRAINING_SIDE} (the figures are too good)"),
            (self.selected_on, "of them on the validation side (it selected the epoch and fitted the temperature)"),
        ]
        return [f"{count} {meaning}" for count, meaning in counts if count]


def training_split(folder: Path, manifest: Manifest) -> Split | None:
    """Returns the split that an artifact was trained on, or None where neither its folder nor the package has it.

    Raises:
        SplitMismatch: the split in the folder is damaged.
    """
    if (folder / SAVED).is_file():
        return load_split(str(folder / SAVED))
    return next((split for split in map(shipped_split, SHIPPED) if split.digest == manifest.split_digest), None)


def count_leakage(split: Split | None, tracks: Iterable[str]) -> Leakage:
    """Counts the tracks, or chunks of tracks, that a network trained on the split has seen, by their names."""
    if split is None:
        return Leakage(None, None)
    names = [track_of(track) for track in tracks]
    train, validation = (_with_duplicates(split, side) for side in (TRAIN, VALID))
    return Leakage(sum(name in train for name in names), sum(name in validation - train for name in names))


def _with_duplicates(split: Split, side: str) -> set[str]:
    """Returns the tracks on a side, whole or in part, and their known duplicates."""
    tracks = {track_of(track) if split.leaky else track for track, assigned in split.sides.items() if assigned == side}
    return tracks | {pair[1 - place] for pair in known_duplicates() for place in (0, 1) if pair[place] in tracks}
