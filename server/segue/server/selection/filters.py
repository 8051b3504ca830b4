"""Finds the rows of the tracks that a filter allows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import PurePosixPath

import numpy as np

from segue.server.selection.criteria import Exclusion, TrackFilter
from segue.server.selection.folding import fold
from segue.server.selection.track_table import Mask, TrackTable, album_title

_Condition = tuple[str, Callable[[], Mask]]


def allowed_rows(table: TrackTable, wanted: TrackFilter) -> tuple[Mask, str]:
    """Returns the rows that a filter allows, and the condition that left none.

    Args:
        table: the tracks.
        wanted: the filter; its similarity is not a property of a row.

    Returns:
        True for each row [rows] that all conditions allow. Conditions apply one after the other, and the field of the
        first one after which no row is left, such as "genres" or "exclude.artists"; "" if rows are left.
    """
    allowed = table.columns["present"].copy()
    for name, condition in _conditions(_Rows(table, len(allowed)), wanted):
        allowed &= condition()
        if not allowed.any():
            return allowed, name
    return allowed, ""


def _conditions(rows: _Rows, wanted: TrackFilter) -> Iterator[_Condition]:
    """Yields the conditions that have values, with their fields: the cheap ones first."""
    yield from _listed(rows, wanted)
    if wanted.min_year is not None:
        yield "min_year", lambda: rows.years >= max(1, wanted.min_year or 0)
    if wanted.max_year is not None:
        yield "max_year", lambda: (rows.years <= (wanted.max_year or 0)) & (rows.years > 0)
    if wanted.min_seconds > 0:
        yield "min_duration", lambda: rows.seconds >= wanted.min_seconds
    if wanted.max_seconds is not None:
        yield "max_duration", lambda: rows.seconds <= np.float32(wanted.max_seconds or 0)
    if wanted.exclude is not None:
        for name, condition in _listed(rows, wanted.exclude):
            yield f"exclude.{name}", partial(_inverted, condition)


def _listed(rows: _Rows, wanted: TrackFilter | Exclusion) -> Iterator[_Condition]:
    """Yields the conditions with lists of values."""
    conditions: dict[str, Callable[[], Mask]] = {
        "track_ids": lambda: rows.with_ids(wanted.track_ids),
        "genres": lambda: rows.with_genre(wanted.genres),
        "artists": lambda: rows.with_artist(wanted.artists),
        "albums": lambda: rows.with_album(wanted.albums),
        "folders": lambda: rows.in_folder(wanted.folders),
    }
    return ((name, condition) for name, condition in conditions.items() if getattr(wanted, name))


def _inverted(condition: Callable[[], Mask]) -> Mask:
    return ~condition()


class _Rows:
    """Compares the columns of a table, as they are now."""

    def __init__(self, table: TrackTable, count: int) -> None:
        self._table, self._count, self._columns = table, count, table.columns
        self.years = self._columns["year"][:count]
        self.seconds = self._columns["seconds"][:count]

    def _marked(self, column: str, numbers: list[int]) -> Mask:
        mask: Mask = np.isin(self._columns[column][: self._count], numbers)
        return mask

    def with_ids(self, track_ids: frozenset[str]) -> Mask:
        mask = np.zeros(self._count, np.bool_)
        rows = self._table.row_numbers(list(track_ids))
        mask[rows[(rows >= 0) & (rows < self._count)]] = True
        return mask

    def with_genre(self, genres: frozenset[str]) -> Mask:
        return self._marked("genre", self._table.genres.find(genres))

    def with_artist(self, names: frozenset[str]) -> Mask:
        numbers = self._table.artists.find(frozenset(map(fold, names)))
        mask = self._marked("artist", numbers)
        for row, further in list(self._table.further_artists.items()):
            if row < self._count and not set(numbers).isdisjoint(further):
                mask[row] = True
        return mask

    def with_album(self, titles: frozenset[str]) -> Mask:
        folded = frozenset(map(fold, titles))
        return self._marked("album", self._table.albums.numbers_where(lambda label: album_title(label) in folded))

    def in_folder(self, folders: tuple[str, ...]) -> Mask:
        roots = [PurePosixPath(folder) for folder in folders]
        return self._marked(
            "folder",
            self._table.folders.numbers_where(lambda label: any(PurePosixPath(label).is_relative_to(r) for r in roots)),
        )
