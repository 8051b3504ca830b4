"""Whether the tracks that a network is judged by are tracks that it has met."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from segue.core.model.artifact import Manifest
from segue.trainer.data.dataset import track_of
from segue.trainer.splits.split import SAVED, SHIPPED, TRAIN, VALID, Split, known_duplicates, load_split, shipped_split


@dataclass(frozen=True)
class Leakage:
    """How many of the judged tracks, or of their chunks, a network has met; None where that is not recorded.

    Attributes:
        learnt_from: those that it learnt from, whole or in part, by their names or as a known duplicate.
        chosen_by: of the others those that chose its epoch and fitted its temperature.
    """

    learnt_from: int | None
    chosen_by: int | None

    def sentences(self) -> list[str]:
        """What a reader of the figures must know; nothing where no track was met."""
        if self.learnt_from is None:
            return ["whether any of them was learnt from is not recorded"]
        said = [
            (self.learnt_from, "of them LEARNT FROM: the figures flatter"),
            (self.chosen_by, "of them chose the epoch and fitted the temperature"),
        ]
        return [f"{count} {what}" for count, what in said if count]


def split_of(folder: Path, manifest: Manifest) -> Split | None:
    """The split that an artifact was trained by, or None where neither a file beside it nor a shipped split is it.

    Raises:
        SplitMismatch: the file is damaged.
    """
    if (folder / SAVED).is_file():
        return load_split(str(folder / SAVED))
    return next((split for split in map(shipped_split, SHIPPED) if split.digest == manifest.split_digest), None)


def count_leakage(split: Split | None, tracks: Iterable[str]) -> Leakage:
    """How many tracks, or chunks of tracks, a network has met that was trained by a split; by their names."""
    if split is None:
        return Leakage(None, None)
    judged = [track_of(track) for track in tracks]
    learnt, chose = (_with_copies(split, side) for side in (TRAIN, VALID))
    return Leakage(sum(track in learnt for track in judged), sum(track in chose - learnt for track in judged))


def _with_copies(split: Split, side: str) -> set[str]:
    """The tracks on a side, whole or in part, and their known duplicates."""
    tracks = {track_of(track) if split.leaky else track for track, there in split.sides.items() if there == side}
    return tracks | {pair[1 - place] for pair in known_duplicates() for place in (0, 1) if pair[place] in tracks}
