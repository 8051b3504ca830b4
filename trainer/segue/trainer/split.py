"""Which tracks a network learns from, and which it is judged on."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

import numpy as np

from segue.trainer.errors import DataUnusable, SplitMismatch

SHIPPED = ("fault-filtered",)
RANDOM = "random-tracks"
TRAIN, VALID, TEST, UNUSED = SIDES = ("train", "valid", "test", "unused")


@dataclass(frozen=True)
class Split:
    """A name for the side that each track stands on.

    Attributes:
        name: what people call it.
        sides: "train", "valid", "test" or "unused", by track.
    """

    name: str
    sides: Mapping[str, str]

    @property
    def digest(self) -> str:
        """The SHA-256 of the sides, in hexadecimal; the order in which they were written does not matter."""
        lines = "".join(f"{track}\t{side}\n" for track, side in sorted(self.sides.items()))
        return hashlib.sha256(lines.encode()).hexdigest()

    def side(self, track: str) -> str:
        """The side of a track; "unused" for one that the split does not know."""
        return self.sides.get(track, UNUSED)

    def save(self, path: Path) -> None:
        """Writes the tracks and their sides as a table that ``load_split`` reads."""
        lines = "".join(f"{track}\t{side}\n" for track, side in sorted(self.sides.items()))
        path.write_text(f"track\tsplit\n{lines}", encoding="utf-8")


def shipped_split(name: str) -> Split:
    """A split that comes with the trainer.

    ``fault-filtered`` is GTZAN without its faults, no artist on two sides but a handful: 443, 197 and 290 tracks
    (Kereliuk, Sturm and Larsen 2015).

    Raises:
        SplitMismatch: there is none of that name, or it has a track, or one of the known duplicates, on two sides.
    """
    if name not in SHIPPED:
        raise SplitMismatch(f"There is no split {name!r}. Choose one of: {', '.join(SHIPPED)}.")
    split = Split(name, {row["track"]: row["split"] for row in _rows(f"{name}.tsv")})
    check_duplicates(split)
    return split


def load_split(name: str) -> Split:
    """A split by the name of one that is shipped, or by the path of a saved one.

    Raises:
        SplitMismatch: there is none, it is damaged, or it has one of the known duplicates on two sides.
    """
    path = Path(name)
    if path.suffix != ".tsv":
        return shipped_split(name)
    try:
        rows = _parse(path.read_text(encoding="utf-8"), name)
        split = Split(path.stem, {row["track"]: row["split"] for row in rows})
    except (OSError, UnicodeDecodeError, KeyError) as error:
        raise SplitMismatch(f"{path} is not a split: {error}. It needs the columns track and split.") from error
    if not split.sides:
        raise SplitMismatch(f"{path} is not a split: it has no tracks. It needs the columns track and split.")
    unknown = sorted(set(split.sides.values()) - set(SIDES))
    if unknown:
        raise SplitMismatch(f"{path} has a side {unknown[0]!r}; a side is one of: {', '.join(SIDES)}.")
    check_duplicates(split)
    return split


def random_split(genres: Mapping[str, str], seed: int, share: float = 0.2) -> Split:
    """Draws a share of every genre for validation, by track.

    Args:
        genres: the genre of each track.
        seed: another seed draws other tracks.
        share: of each genre, above 0 and below 1; at least one track is drawn and at least one is left.

    Raises:
        DataUnusable: a genre has fewer than two tracks.
    """
    random = np.random.default_rng(seed)
    sides: dict[str, str] = {}
    for genre in sorted(set(genres.values())):
        tracks = sorted(track for track in genres if genres[track] == genre)
        if len(tracks) < 2:
            raise DataUnusable(f"The genre {genre!r} has one usable track. Give it two or more, or leave it out.")
        count = min(len(tracks) - 1, max(1, round(share * len(tracks))))
        drawn = set(random.choice(tracks, count, replace=False).tolist())
        sides |= {track: VALID if track in drawn else TRAIN for track in tracks}
    return Split(RANDOM, sides)


def check_duplicates(split: Split) -> None:
    """Refuses a split in which a recording stands on two sides.

    Raises:
        SplitMismatch: one of GTZAN's known duplicates stands on two sides.
    """
    for track, duplicate in known_duplicates():
        sides = {split.side(track), split.side(duplicate)} - {UNUSED}
        if len(sides) > 1:
            raise SplitMismatch(
                f"The split {split.name!r} leaks: {track} and {duplicate} are the same recording and stand on two "
                "sides. Put both on one side, or leave one out."
            )


@lru_cache(maxsize=1)
def known_duplicates() -> tuple[tuple[str, str], ...]:
    """The pairs of GTZAN's tracks that are the same recording, bit for bit (Sturm 2013)."""
    return tuple((row["track"], row["duplicate"]) for row in _rows("duplicates.tsv"))


@lru_cache(maxsize=1)
def gtzan_artists() -> Mapping[str, str]:
    """The artist of each track of GTZAN (Sturm's index); empty where nobody knows."""
    return {row["track"]: row["artist"] for row in _rows("fault-filtered.tsv")}


def _rows(name: str) -> list[dict[str, str]]:
    return _parse((files("segue.trainer") / "splits" / name).read_text(encoding="utf-8"), name)


def _parse(text: str, name: str) -> list[dict[str, str]]:
    rows = list(csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE))
    tracks = [row["track"] for row in rows]
    twice = next((track for track in tracks if tracks.count(track) > 1), None)
    if twice:
        raise SplitMismatch(f"{name} names the track {twice} twice. Remove one of its lines.")
    return rows
