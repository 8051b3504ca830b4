"""Finds the rows of the tracks that a filter allows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import PurePosixPath

import numpy as np

from segue.core.selection.attributes import AttributeCondition
from segue.core.selection.criteria import Exclusion, TrackFilter
from segue.core.selection.folding import fold
from segue.core.selection.labels import NONE
from segue.core.selection.track_table import Mask, TrackTable

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
    rows = _Rows(table)
    allowed = rows.present.copy()
    for name, condition in _conditions(rows, wanted):
        allowed &= condition()
        if not allowed.any():
            return allowed, name
    return allowed, ""


def _conditions(rows: _Rows, wanted: TrackFilter) -> Iterator[_Condition]:
    """Yields the conditions that have values, with their fields: the cheap ones first."""
    yield from _listed(rows, wanted)
    if (first := wanted.min_year) is not None:
        yield "min_year", lambda: rows.years >= first
    if (last := wanted.max_year) is not None:
        yield "max_year", lambda: (rows.years <= last) & (rows.years > 0)
    if wanted.min_seconds > 0:
        yield "min_duration", lambda: rows.seconds >= np.float32(wanted.min_seconds)
    if (longest := wanted.max_seconds) is not None:
        yield "max_duration", lambda: rows.seconds <= np.float32(longest)
    if wanted.exclude is not None:
        for name, condition in _listed(rows, wanted.exclude):
            yield f"exclude.{name}", partial(_inverted, condition)


def _listed(rows: _Rows, wanted: TrackFilter | Exclusion) -> Iterator[_Condition]:
    """Yields the conditions with lists of values."""
    conditions: dict[str, Callable[[], Mask]] = {
        "track_ids": lambda: rows.with_ids(wanted.track_ids),
        "genres": lambda: rows.with_genre(wanted.genres),
        "tags": lambda: rows.with_tags(wanted.tags, every=isinstance(wanted, TrackFilter)),
        "artists": lambda: rows.with_artist(wanted.artists),
        "albums": lambda: rows.with_album(wanted.albums),
        "folders": lambda: rows.in_folder(wanted.folders),
        "attributes": lambda: rows.with_attributes(wanted.attributes, every=isinstance(wanted, TrackFilter)),
    }
    return ((name, condition) for name, condition in conditions.items() if getattr(wanted, name))


def _inverted(condition: Callable[[], Mask]) -> Mask:
    return ~condition()


class _Rows:
    """Compares the columns of a table, as they are now."""

    def __init__(self, table: TrackTable) -> None:
        self._table, self._columns = table, table.columns
        self.present, self.years, self.seconds = (self._columns[name] for name in ("present", "year", "seconds"))

    def _marked(self, column: str, labels: Mask) -> Mask:
        """Returns the rows whose label is marked; a label that is newer than the mask is not."""
        numbers = self._columns[column]
        mask: Mask = labels[np.where(numbers < len(labels) - 1, numbers, NONE)]
        return mask

    def with_ids(self, track_ids: frozenset[str]) -> Mask:
        mask = np.zeros(len(self.years), np.bool_)
        rows = self._table.row_numbers(list(track_ids))
        mask[rows[(rows >= 0) & (rows < len(mask))]] = True
        return mask

    def with_genre(self, genres: frozenset[str]) -> Mask:
        return self._marked("genre", self._table.genres.with_texts(genres))

    def with_tags(self, tags: frozenset[str], *, every: bool) -> Mask:
        """Returns the rows that have all of some tags, or one of them."""
        wanted = self._table.tag_bits(tags)
        found = self._columns["tags"] & wanted
        mask: Mask = found == wanted if every else found != 0
        return mask

    def with_artist(self, names: frozenset[str]) -> Mask:
        labels = self._table.artists.with_texts(map(fold, names))
        mask = self._marked("artist", labels)
        rows, numbers = self._table.further_artists()
        is_met = (rows < len(mask)) & labels[np.where(numbers < len(labels) - 1, numbers, NONE)]
        mask[rows[is_met]] = True
        return mask

    def with_album(self, titles: frozenset[str]) -> Mask:
        return self._marked("album_title", self._table.titles.with_texts(map(fold, titles)))

    def with_attributes(self, conditions: tuple[AttributeCondition, ...], *, every: bool) -> Mask:
        """Returns the rows whose attributes meet all of some conditions, or one of them."""
        masks = [self._table.attributes.rows_with(condition, len(self.years)) for condition in conditions]
        mask: Mask = (np.logical_and if every else np.logical_or).reduce(masks)
        return mask

    def in_folder(self, folders: tuple[str, ...]) -> Mask:
        roots = (str(PurePosixPath(folder)).rstrip("/") + "/" for folder in folders)
        return self._marked("folder", self._table.folders.with_prefixes(roots))
