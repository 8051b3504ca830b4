"""Chooses the tracks of a view that meet the criteria of a caller."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import NamedTuple

import numpy as np

from segue.core.index.vector_index import COPY_COST, EF_SEARCH, Neighbour, VectorIndex, Vectors, ranked
from segue.core.selection.caps import Caps, Numbers
from segue.core.selection.criteria import TrackFilter
from segue.core.selection.diversity import diverse_order
from segue.core.selection.filters import allowed_rows
from segue.core.selection.labels import NONE, Labelled
from segue.core.selection.track_query import Selected, TrackQuery
from segue.core.selection.track_table import Mask, Rows, TrackTable
from segue.core.selection.view import View

# hnswlib's search takes time and memory in proportion to the number of neighbours, above its ef.
_MAX_GRAPH_NEIGHBOURS = 1_000
# Comparing an embedding with so many numbers takes about as long as a filtered search with the graph, some 3 ms.
_EXACT_NUMBERS = 10_000_000
# The last filters whose masks are kept, and the characters in one of them.
_KEPT_MASKS, _KEPT_CHARACTERS = 16, 2**16
# Further neighbours, for those that limits leave out.
_LIMITED_SPARE = 20

DIVERSITY_POOL = 100
"""Number of the nearest tracks among which diversity chooses; not more can be chosen then."""


class _Part(NamedTuple):
    """A part of a view.

    Attributes:
        tracks: an index of the view.
        rows: the rows [r] of this index that may be chosen.
        table_rows: their rows [r] in the table, -1 for a track that is not in it.
    """

    tracks: VectorIndex
    rows: Rows
    table_rows: Rows


class TrackSelector:
    """Chooses tracks by their similarity and by the properties in a table."""

    def __init__(self, table: TrackTable) -> None:
        self._table = table
        self._base_rows: tuple[VectorIndex, Rows] | None = None
        self._masks: dict[TrackFilter, tuple[int, Mask, str]] = {}  # the last filters, each with the table's version

    def is_quick(self, view: View, query: TrackQuery) -> bool:
        """Returns whether ``select_quickly`` takes about a millisecond at most."""
        needs_all = query.criteria.filter or query.criteria.variety.diversity
        return not needs_all and view.is_quick(_first_fetch(query), len(query.hidden))

    def select_quickly(self, view: View, query: TrackQuery) -> Selected | None:
        """Chooses tracks by one search, or returns None if the limits leave too few of what it finds."""
        fetch = _first_fetch(query)
        found, caps = view.search(query.embedding, fetch, query.hidden), self._caps(query)
        kept = self._capped(found, query.count, caps)
        if len(kept) < query.count and len(found) == fetch:
            return None
        return Selected(kept, is_limited=caps.has_refused)

    def select(self, view: View, query: TrackQuery) -> Selected:
        """Chooses tracks: those that the filter allows, in the order of similarity, within the limits for an artist.

        With diversity, these are brought into another order.
        """
        wanted, diversity = query.criteria.filter, query.criteria.variety.diversity
        allowed, emptied_by = self._allowed_rows(wanted) if wanted else (None, "")
        if emptied_by:
            return Selected([], emptied_by)
        caps = self._caps(query)
        found = self._nearest(view, query, DIVERSITY_POOL if diversity else query.count, allowed, caps)
        if not found and wanted and wanted.min_similarity is not None and self._is_unlike_all(view, query, allowed):
            return Selected([], "min_similarity")
        if diversity and found:
            found = _diverse(view, found, query.count, diversity)
        return Selected(found[: query.count], is_limited=caps.has_refused)

    def _is_unlike_all(self, view: View, query: TrackQuery, allowed: Mask | None) -> bool:
        """Returns True if there are allowed tracks, and none of them has the least similarity."""
        parts = self._parts(view, query.hidden, allowed)
        nearest = [part.tracks.similarities(query.embedding, part.rows).max() for part in parts]
        return bool(nearest) and max(nearest) < query.min_similarity

    def _allowed_rows(self, wanted: TrackFilter) -> tuple[Mask, str]:
        """Returns the rows that a filter allows, see ``allowed_rows``; callers often send the same one again."""
        wanted = replace(wanted, min_similarity=None)
        version, known = self._table.version, self._masks.pop(wanted, None)
        if known is None or known[0] != version:
            known = version, *allowed_rows(self._table, wanted)
        if wanted.characters <= _KEPT_CHARACTERS:
            self._masks[wanted] = known
            for oldest in list(self._masks)[:-_KEPT_MASKS]:
                self._masks.pop(oldest, None)
        return known[1], known[2]

    def mean(self, view: View, wanted: TrackFilter) -> Vectors | None:
        """Returns the mean [e] of the allowed tracks, brought to length 1, or None if it has no direction."""
        allowed, _ = self._allowed_rows(wanted)
        parts = self._parts(view, frozenset(), allowed)
        if not parts:
            return None
        sums = [part.tracks.mean(part.rows) * len(part.rows) for part in parts]
        total: Vectors = np.sum(sums, axis=0)
        length = float(np.linalg.norm(total))
        return total / np.float32(length) if length > 0 else None

    def _nearest(self, view: View, query: TrackQuery, count: int, allowed: Mask | None, caps: Caps) -> list[Neighbour]:
        """Returns the ``count`` nearest tracks that are allowed, within the limits."""
        for fetch in self._graph_fetches(view, query, count, allowed):
            found = view.search(query.embedding, fetch, query.hidden)
            caps.reset()
            kept = self._capped(self._allowed(found, allowed, query.min_similarity), count, caps)
            if len(kept) == count or len(found) < fetch or found[-1].similarity < query.min_similarity:
                return kept
        caps.reset()
        return self._nearest_exactly(self._parts(view, query.hidden, allowed), query, count, caps)

    def _graph_fetches(self, view: View, query: TrackQuery, count: int, allowed: Mask | None) -> Iterator[int]:
        """Yields the numbers of neighbours to search for with the graph, until enough of them are allowed."""
        hidden = len(query.hidden) + len(view.removed)
        tracks = len(view) if allowed is None else int(np.count_nonzero(allowed))
        compared = min(COPY_COST * tracks, len(view)) * query.embedding.size
        if view.base.comparisons(hidden) or (allowed is not None and compared <= _EXACT_NUMBERS):
            return
        fetch, limit = _first_fetch(query, count), max(_MAX_GRAPH_NEIGHBOURS, count)
        if allowed is None and query.criteria.variety.is_limited:
            fetch = max(fetch, EF_SEARCH)  # fewer were tried by a quick search, and take as long to find
        elif allowed is not None:  # half as many again as are needed on average
            fetch = int(1.5 * fetch * len(view) / tracks) + 10
        while fetch <= limit:
            yield fetch
            fetch = fetch * 4 if fetch * 4 <= limit or fetch == limit else limit

    def _allowed(self, neighbours: list[Neighbour], allowed: Mask | None, least: float) -> list[Neighbour]:
        if allowed is None or not neighbours:
            return neighbours
        neighbours = [neighbour for neighbour in neighbours if neighbour.similarity >= least]
        marks = _marked(allowed, self._table.row_numbers([neighbour.track_id for neighbour in neighbours]))
        return [neighbour for neighbour, mark in zip(neighbours, marks.tolist(), strict=True) if mark]

    def _caps(self, query: TrackQuery) -> Caps:
        counted = self._table.labels_of(query.counted)
        return Caps(query.criteria.variety, self._table.groups_of(query.seeds), counted)

    def _capped(self, neighbours: list[Neighbour], count: int, caps: Caps) -> list[Neighbour]:
        """Returns the first ``count`` neighbours that are within the limits."""
        if not caps.is_limited:
            return neighbours[:count]
        labels = self._table.labels_of([neighbour.track_id for neighbour in neighbours])
        pairs = zip(neighbours, labels, strict=True)
        return list(islice((neighbour for neighbour, own in pairs if caps.take(*own)), count))

    def _nearest_exactly(self, parts: list[_Part], query: TrackQuery, count: int, caps: Caps) -> list[Neighbour]:
        """Returns the nearest tracks of some parts, within the limits, from a comparison with all of them."""
        if not parts:
            return []
        similarities = np.concatenate([part.tracks.similarities(query.embedding, part.rows) for part in parts])
        table_rows = np.concatenate([part.table_rows for part in parts])
        remaining, size = np.flatnonzero(similarities >= query.min_similarity), _first_fetch(query, count)
        kept: list[Neighbour] = []
        while len(remaining) and len(kept) < count:
            if caps.is_limited:
                remaining = remaining[caps.open_tracks(*self._labels(table_rows[remaining]))]
            nearest = _greatest(similarities[remaining], size)
            kept += self._capped(_ranked(parts, remaining[nearest], similarities), count - len(kept), caps)
            remaining, size = remaining[~nearest], 4 * size
        return kept

    def _labels(self, table_rows: Rows) -> list[Numbers]:
        """Returns the numbers [r] of rows [r] of the table, those of each column; see ``Labelled``."""
        columns = self._table.columns
        known = (table_rows >= 0) & (table_rows < len(columns["artist"]))
        rows = np.where(known, table_rows, 0)
        return [np.where(known, columns[name][rows], NONE) for name in Labelled._fields]

    def _parts(self, view: View, exclude: frozenset[str], allowed: Mask | None) -> list[_Part]:
        """Returns the tracks of a view that may be chosen, in parts that have at least one."""
        base, added = view.base, view.added_index
        parts = (
            _part(base, self._table_rows(view), view.removed | exclude, allowed),
            _part(added, self._table.row_numbers(added.track_ids), exclude, allowed),
        )
        return [part for part in parts if len(part.rows)]

    def _table_rows(self, view: View) -> Rows:
        """Returns the rows in the table of all tracks of a view's base.

        A row that was found stays right: that of a removed track may be used again, but a view hides such a track.
        """
        base, known = view.base, self._base_rows
        if known is not None and known[0] is base:
            return known[1]
        rows = self._table.row_numbers(base.track_ids)
        if all(base.track_ids[row] in view.removed for row in np.flatnonzero(rows < 0).tolist()):
            self._base_rows = base, rows
        return rows


def _first_fetch(query: TrackQuery, count: int = 0) -> int:
    """Returns the number of neighbours to search for first: more than are chosen if there are limits."""
    return (count or query.count) + (_LIMITED_SPARE if query.criteria.variety.is_limited else 0)


def _part(index: VectorIndex, table_rows: Rows, hidden: frozenset[str], allowed: Mask | None) -> _Part:
    """Returns the rows of an index that are not hidden, and that are allowed."""
    chosen = np.ones(len(index), np.bool_) if allowed is None else _marked(allowed, table_rows)
    chosen[index.rows(hidden)] = False
    rows = np.flatnonzero(chosen)
    return _Part(index, rows, table_rows[rows])


def _marked(mask: Mask, rows: Rows) -> Mask:
    """Returns the mask [n] of some rows [n]; False for those that it does not have."""
    known = (rows >= 0) & (rows < len(mask))
    return known & mask[np.where(known, rows, 0)]


def _greatest(values: Vectors, count: int) -> Mask:
    """Returns a mask [n] of the ``count`` greatest values [n], and of those that are equal to the least of them."""
    if len(values) <= count:
        return np.ones(len(values), np.bool_)
    greatest: Mask = values >= np.partition(values, -count)[-count]
    return greatest


def _ranked(parts: list[_Part], positions: Rows, similarities: Vectors) -> list[Neighbour]:
    """Returns the tracks at some positions in the parts one after the other, the nearest first."""
    first = len(parts[0].rows)
    neighbours = []
    for position in positions.tolist():
        part, row = (parts[0], position) if position < first else (parts[1], position - first)
        neighbours.append(Neighbour(part.tracks.track_ids[int(part.rows[row])], float(similarities[position])))
    return ranked(neighbours, len(neighbours))


def _diverse(view: View, neighbours: list[Neighbour], count: int, diversity: float) -> list[Neighbour]:
    """Chooses diverse tracks among neighbours of a view."""
    embeddings = view.embeddings([neighbour.track_id for neighbour in neighbours])
    pairs = zip(neighbours, embeddings, strict=True)
    known = [(neighbour, vector) for neighbour, vector in pairs if vector is not None]
    similarities = np.array([neighbour.similarity for neighbour, _ in known], np.float32)
    order = diverse_order(similarities, np.stack([vector for _, vector in known]), count, diversity)
    return [known[position][0] for position in order]
