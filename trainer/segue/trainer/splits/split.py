"""Splits: the side of each track, training, validation or test, and the file that saves them."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from itertools import dropwhile, takewhile
from pathlib import Path
from typing import Literal

from segue.trainer.errors import DataUnusable, SplitMismatch
from segue.trainer.outputs import write_text
from segue.trainer.splits.connected_tracks import Pairs, connect

SHIPPED = ("fault-filtered",)
RANDOM, PAPER, CHUNKS, ARTISTS = DRAWN = ("random-tracks", "paper", "chunk-random", "artist-grouped")
SAVED = "split.tsv"
"""Name of a split's file in the folder of the artifact that was trained on it."""

TRAIN, VALID, TEST, UNUSED = SIDES = ("train", "valid", "test", "unused")
LEAKY = "LEAKY"
"""Marks the label of a split that leaks, in every output."""

Kind = Literal["track", "chunk"]
"""The unit of a split: whole tracks, or single windows of them."""


@dataclass(frozen=True)
class Split:
    """The side of each track.

    Attributes:
        name: name of the split.
        sides: "train", "valid", "test" or "unused" by track, or by chunk where ``kind`` is "chunk".
        kind: unit of the split. A split by chunks leaks, since chunks of one track are on several sides.
    """

    name: str
    sides: Mapping[str, str]
    kind: Kind = "track"

    @property
    def leaky(self) -> bool:
        """True where a network is evaluated on tracks that it was partly trained on."""
        return self.kind == "chunk"

    @property
    def label(self) -> str:
        """The name as outputs show it; that of a leaky split says so."""
        return f"{self.name} ({LEAKY})" if self.leaky else self.name

    @property
    def digest(self) -> str:
        """The SHA-256 of the sides in hexadecimal, whatever the order of the tracks."""
        return hashlib.sha256(self._lines().encode()).hexdigest()

    def side(self, track: str) -> str:
        """Returns the side of a track, "unused" for one that is not in the split."""
        return self.sides.get(track, UNUSED)

    def joined(self) -> Split:
        """Returns the split with its validation tracks, if it has any, on the training side."""
        if VALID not in self.sides.values():
            return self
        sides = {track: TRAIN if side == VALID else side for track, side in self.sides.items()}
        return Split(f"{self.name}-joined", sides, self.kind)

    def save(self, path: Path) -> None:
        """Writes a table of the tracks and their sides, headed by name and digest, which ``load_split`` reads.

        Raises:
            OSError: it cannot be written.
        """
        write_text(path, f"# name {self.name}\n# digest {self.digest}\n{self.kind}\tsplit\n{self._lines()}")

    def _lines(self) -> str:
        return "".join(f"{track}\t{side}\n" for track, side in sorted(self.sides.items()))


def shipped_split(name: str) -> Split:
    """Loads a split that ships with the trainer.

    ``fault-filtered`` is GTZAN without its faults: 443, 197 and 290 tracks (Kereliuk, Sturm and Larsen 2015). All but
    a handful of its artists are on one side only.

    Raises:
        SplitMismatch: no split of that name ships, or it has a track or a known duplicate on two sides.
    """
    if name not in SHIPPED:
        raise SplitMismatch(f"There is no split {name!r}. Choose one of: {', '.join(SHIPPED)}.")
    split = Split(name, {row["track"]: row["split"] for row in _packaged_rows(f"{name}.tsv")})
    check_duplicates(split)
    return split


def load_split(name: str) -> Split:
    """Loads a split by the name of one that ships, or by the path of a saved one.

    Raises:
        SplitMismatch: it is missing or damaged, or it has a track or a known duplicate on two sides.
    """
    path = Path(name)
    if path.suffix != ".tsv":
        return shipped_split(name)
    try:
        text = path.read_text(encoding="utf-8-sig")  # spreadsheets begin their files with a byte order mark
        split = _parse_split(text, path)
    except (OSError, UnicodeDecodeError, KeyError) as error:
        raise SplitMismatch(
            f"{path} is not a split: {error}. It needs the columns track and split, or chunk and split."
        ) from error
    if not split.sides:
        raise SplitMismatch(f"{path} is not a split: it has no tracks. It needs the columns track and split.")
    unknown = sorted({str(side) for side in split.sides.values()} - set(SIDES))
    if unknown:
        raise SplitMismatch(f"{path} has a side {unknown[0]!r}; a side is one of: {', '.join(SIDES)}.")
    _check_digest(split, _parse_head(text).get("digest", split.digest), path)
    check_duplicates(split)
    return split


def check_duplicates(split: Split) -> None:
    """Checks that no recording is on two sides of a split, unless the split is marked as leaky.

    Raises:
        SplitMismatch: two of GTZAN's known duplicates are on different sides.
    """
    if split.leaky:
        return
    for track, duplicate in known_duplicates():
        sides = {split.side(track), split.side(duplicate)} - {UNUSED}
        if len(sides) > 1:
            raise SplitMismatch(
                f"The split {split.name!r} leaks: {track} and {duplicate} are the same recording, and they are on "
                "different sides. Put both on one side, or leave one out."
            )


def check_names(names: Iterable[str]) -> None:
    """Checks that names can be saved in the table of a split, since the name of a file may hold anything.

    Raises:
        DataUnusable: a name is empty, is not UTF-8, or holds a tab, an end of line or spaces around it.
    """
    for name in names:
        if "\t" in name or name.splitlines() != [name] or name != name.strip() or _is_undecodable(name):
            raise DataUnusable(
                f"The name {name!a} cannot be saved in the table of a split: it is empty, is not UTF-8, or holds a "
                "tab, an end of line or spaces around it. Rename the file."
            )


@lru_cache(maxsize=1)
def known_duplicates() -> tuple[tuple[str, str], ...]:
    """Returns the pairs of GTZAN's tracks that are the same recording, bit for bit (Sturm 2013)."""
    return tuple((row["track"], row["duplicate"]) for row in _packaged_rows("duplicates.tsv"))


@lru_cache(maxsize=1)
def gtzan_artists() -> Mapping[str, str]:
    """Returns the artist of each track of GTZAN (Sturm's index), empty where it is unknown."""
    return {row["track"]: row["artist"] for row in _packaged_rows("fault-filtered.tsv")}


def artist_groups(tracks: Iterable[str], copies: Pairs = ()) -> dict[str, str]:
    """Returns for each track the first of those that stay together: of one artist, or the same recording.

    A track whose artist is not in GTZAN's index is a group of its own.

    Args:
        tracks: names of the tracks.
        copies: pairs of tracks that are one recording, in addition to GTZAN's known duplicates.
    """
    listed, artists = sorted(tracks), gtzan_artists()
    known = [track for track in listed if track in artists]
    return connect(listed, [*known_duplicates(), *copies, *_same_artist(known, artists)])


def _is_undecodable(name: str) -> bool:
    """Returns True for a name with bytes that are not UTF-8, which Python keeps as lone surrogates."""
    return any("\ud800" <= letter <= "\udfff" for letter in name)


def _same_artist(tracks: Iterable[str], artists: Mapping[str, str]) -> list[tuple[str, str]]:
    """Returns pairs that connect each track with the first of its artist."""
    first: dict[str, str] = {}
    known = [(track, artists[track].casefold().strip()) for track in tracks if artists[track].strip()]
    return [(first.setdefault(artist, track), track) for track, artist in known]


def _check_digest(split: Split, saved: str, path: Path) -> None:
    if saved != split.digest:
        raise SplitMismatch(
            f"{path} was changed: its sides have the digest {split.digest[:16]}, and its head says {saved[:16]}. "
            "Save the split again, or remove the line with the digest."
        )


def _packaged_rows(name: str) -> list[dict[str, str]]:
    return parse_rows((files("segue.trainer") / "splits" / name).read_text(encoding="utf-8"), name)


def _parse_split(text: str, path: Path) -> Split:
    rows = parse_rows(text, str(path))
    kind: Kind = "chunk" if rows and "chunk" in rows[0] else "track"
    return Split(_parse_head(text).get("name", path.stem), {row[kind]: row["split"] for row in rows}, kind)


def _parse_head(text: str) -> dict[str, str]:
    """Returns the comments at the head of a saved split, by their first word."""
    lines = (line[1:].split(maxsplit=1) for line in takewhile(_is_comment, text.splitlines()))
    return {words[0]: words[1] for words in lines if len(words) == 2}


def parse_rows(text: str, name: str) -> list[dict[str, str]]:
    """Returns the rows of a table with tabs, by its columns, without the comments at its head.

    Args:
        text: the table, with a column track or chunk.
        name: its name for errors.

    Raises:
        SplitMismatch: a track is named twice.
        KeyError: there is neither of the columns.
    """
    lines = [line for line in dropwhile(_is_comment, text.splitlines()) if line.strip()]
    rows = [_strip_cells(row) for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)]
    seen: set[str] = set()
    for row in rows:
        track = row["chunk" if "chunk" in row else "track"]
        if track in seen:
            raise SplitMismatch(f"{name} names the track {track} twice. Remove one of its lines.")
        seen.add(track)
    return rows


def _is_comment(line: str) -> bool:
    return line.startswith("#")


def _strip_cells(row: Mapping[str | None, str | None]) -> dict[str, str]:
    """Removes the invisible spaces around the cells of a row."""
    return {(name or "").strip(): (value or "").strip() for name, value in row.items() if isinstance(value, str | None)}
