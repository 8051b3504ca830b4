"""A table of the properties by which tracks are chosen."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from segue.core.catalogue.records import TrackFacts, has_same_values
from segue.core.catalogue.tag_scores import MIN_TRACK_TAG, unpack_tag_scores
from segue.core.selection.attributes import Attributes
from segue.core.selection.folding import fold
from segue.core.selection.labels import NONE, Labelled, Labels

Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]

_COLUMNS: dict[str, type[np.generic]] = {
    "present": np.bool_,
    "artist": np.int32,
    "album": np.int32,
    "album_title": np.int32,
    "genre": np.int32,
    "folder": np.int32,
    "copies": np.int32,
    "tags": np.uint64,
    "year": np.int16,
    "seconds": np.float32,
}
_FIRST_SIZE = 1_024

MAX_TAGS = 64
"""Number of tags by which tracks can be chosen; the model has 50."""

# Share of the tracks that may be missing in a table that can be used: those that were added since the last reading.
_MISSING_SHARE = 0.01
_NO_FACTS = TrackFacts("")


class Traits(NamedTuple):
    """A predicted genre, or "", and predicted tags."""

    genre: str = ""
    tags: frozenset[str] = frozenset()

    def common(self, other: Traits) -> Traits:
        """Returns what both have."""
        return Traits(self.genre if self.genre == other.genre else "", self.tags & other.tags)


class TrackTable:
    """One row for each track, about 150 bytes; rows of dropped tracks are used again. Every method is thread-safe.

    Attributes:
        artists: the folded artists.
        albums: the folded artists and titles of albums.
        titles: the folded titles of albums.
        genres: the predicted genres.
        folders: the folders of the files, with a slash at the end.
        attributes: the attributes that owners give to tracks, by row.
        is_complete: True when all tracks of a view have been read.
        version: number that differs after each change.
    """

    def __init__(self, tags: Sequence[str] = ()) -> None:
        """Creates an empty table.

        Args:
            tags: the tags of the model; the first ``MAX_TAGS`` are stored.
        """
        self._tags = tuple(tags)
        self._bits = {tag: 1 << number for number, tag in enumerate(tags[:MAX_TAGS])}
        self.artists, self.albums, self.titles, self.genres, self.folders = (Labels() for _ in range(5))
        self.attributes = Attributes()
        self.is_complete = False
        self.version = 0
        self._further: dict[int, tuple[int, ...]] = {}  # numbers of the artists of a row beyond the first
        self._further_pairs: tuple[Rows, Rows] | None = None
        self._rows: dict[str, int] = {}
        self._free: list[int] = []
        self._copies: dict[str, int] = {}  # the group of each track that has copies
        self._groups, self._group_sizes = Labels(), Counter[int]()
        self._columns: dict[str, NDArray[Any]] = {name: np.zeros(_FIRST_SIZE, kind) for name, kind in _COLUMNS.items()}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def columns(self) -> Mapping[str, NDArray[Any]]:
        """The columns [rows], all of the same length: present, year, seconds, and numbers of labels."""
        return self._columns

    def row_numbers(self, track_ids: Sequence[str]) -> Rows:
        """Returns the rows [n] of tracks, -1 for each that is not in the table."""
        rows = self._rows
        return np.fromiter((rows.get(track_id, -1) for track_id in track_ids), np.int64, len(track_ids))

    def is_usable(self, tracks: int) -> bool:
        """Returns whether so many tracks have been read, but for a few that were added a moment ago."""
        return self.is_complete and tracks - len(self) <= _MISSING_SHARE * tracks

    def labels_of(self, track_ids: Sequence[str]) -> Iterable[Labelled]:
        """Returns the numbers of tracks [n], as far as they are known."""
        rows = self.row_numbers(track_ids)  # first: no row is beyond the columns that are read after it
        artists, albums = (np.where(rows < 0, NONE, self._columns[name][rows]) for name in ("artist", "album"))
        copies = (self._copies.get(track_id, NONE) for track_id in track_ids)
        return map(Labelled, copies, artists.tolist(), albums.tolist())

    def traits_of(self, track_id: str) -> Traits:
        """Returns the genre and the tags of a track, as far as they are known."""
        row, columns = self._rows.get(track_id), self._columns
        if row is None:
            return Traits()
        bits = int(columns["tags"][row])
        tags = frozenset(tag for tag, bit in self._bits.items() if bits & bit)
        return Traits(self.genres.text(int(columns["genre"][row])), tags)

    def group(self, copies: Mapping[str, str]) -> None:
        """Receives the group of each track that has copies, in place of the groups before."""
        # A group keeps its number, so that a search that has the old ones leaves out no other recording.
        numbers = {track_id: self._groups.number(name) for track_id, name in copies.items()}
        sizes = Counter(numbers.values())
        with self._lock:
            column = np.full_like(self._columns["copies"], NONE)
            for track_id, number in numbers.items():
                if (row := self._rows.get(track_id)) is not None:
                    column[row] = number
            self._columns = {**self._columns, "copies": column}
            self._copies, self._group_sizes = numbers, sizes

    def groups_of(self, track_ids: Iterable[str]) -> list[int]:
        """Returns the groups of copies that have some of these tracks."""
        copies = self._copies
        return [copies[track_id] for track_id in track_ids if track_id in copies]

    def copies_of(self, track_id: str) -> int:
        """Returns the number of other tracks that were copies of a track when the index was published."""
        return max(0, self._group_sizes[self._copies.get(track_id, NONE)] - 1)

    def tag_bits(self, tags: Iterable[str]) -> np.uint64:
        """Returns a number with a bit for each of some tags of the model."""
        return np.uint64(sum(self._bits.get(tag, 0) for tag in tags))

    def further_artists(self) -> tuple[Rows, Rows]:
        """Returns the rows [n] and the numbers [n] of all artists of tracks beyond the first."""
        with self._lock:
            if self._further_pairs is None:
                pairs = [(row, number) for row, numbers in self._further.items() for number in numbers]
                rows, numbers = np.array(pairs, np.int64).reshape(-1, 2).T
                self._further_pairs = rows, numbers
            return self._further_pairs

    def put(self, track_ids: Sequence[str], facts: Iterable[TrackFacts | None]) -> None:
        """Stores the facts of tracks; a track without facts is in no mask until it has some."""
        with self._lock:
            for track_id, known in zip(track_ids, facts, strict=True):
                self._put(self._row_for(track_id), known)

    def drop(self, track_ids: Iterable[str]) -> None:
        """Drops tracks, and skips unknown ones."""
        with self._lock:
            for track_id in track_ids:
                self._drop(track_id)

    def retain(self, track_ids: Collection[str]) -> None:
        """Drops all other tracks."""
        with self._lock:
            for track_id in self._rows.keys() - set(track_ids):
                self._drop(track_id)

    def _drop(self, track_id: str) -> None:
        row = self._rows.pop(track_id, None)
        if row is not None:
            self._put(row, None)
            self._free.append(row)

    def _row_for(self, track_id: str) -> int:
        """Returns the row of a track, a new one if need be."""
        row = self._rows.get(track_id)
        if row is None:
            row = self._free.pop() if self._free else len(self._rows)
            if row >= len(self._columns["present"]):
                self._columns = {name: np.concatenate([old, np.zeros_like(old)]) for name, old in self._columns.items()}
            self._rows[track_id] = row
            self._columns["copies"][row] = self._copies.get(track_id, NONE)
        return row

    def _put(self, row: int, facts: TrackFacts | None) -> None:
        """Writes a row, unless it has these facts already."""
        columns = self._columns
        values, further = self._values(facts or _NO_FACTS)
        values["present"] = facts is not None
        attributes = (facts or _NO_FACTS).attributes
        is_same = self._further.get(row, ()) == further and has_same_values(self.attributes.of(row), attributes)
        if is_same and all(columns[name][row] == value for name, value in values.items()):
            return
        columns["present"][row] = False
        for name, value in values.items():  # the last one is "present"
            columns[name][row] = value
        self._set_further(row, further)
        self.attributes.put(row, attributes)
        # Only now: a mask that was made meanwhile has the version before.
        self.version += 1

    def _values(self, facts: TrackFacts) -> tuple[dict[str, Any], tuple[int, ...]]:
        """Returns the values of a row, and the numbers of further artists."""
        artist, *further = [self.artists.number(fold(name)) for name in facts.artists or (facts.artist,)]
        title, owner = fold(facts.album), fold(facts.album_artist or facts.artist)
        values = {
            "artist": artist,
            "album": self.albums.number(f"{owner}\n{title}" if title else ""),
            "album_title": self.titles.number(title),
            "genre": self.genres.number(facts.genre),
            "folder": self.folders.number(f"{facts.path.rpartition('/')[0]}/" if facts.path else ""),
            "year": int(facts.year or 0),
            "seconds": np.float32(facts.seconds),
            "tags": self.tag_bits(unpack_tag_scores(facts.tag_scores, self._tags, MIN_TRACK_TAG)),
        }
        return values, tuple(further)

    def _set_further(self, row: int, numbers: tuple[int, ...]) -> None:
        if self._further.get(row, ()) != numbers:
            self._further_pairs = None
            self._further[row] = numbers
