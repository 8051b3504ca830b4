"""Distributes tracks among the points of a path, so that any choice of one track for each point is allowed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from segue.core.index.vector_index import Neighbour, Vectors
from segue.core.selection.caps import Caps
from segue.core.selection.criteria import Criteria, Variety
from segue.core.selection.track_query import Selected, TrackQuery
from segue.core.selection.track_table import TrackTable

ROUNDS = 8
"""Number of the tracks that a point gets, if so many are allowed."""

OFFERED = 100
"""Number of the nearest tracks that a point gets its tracks from, but for the first one."""

# Copies of the ends are left out when the tracks are distributed, and so are tracks beyond the limits.
_EVERYTHING = Variety(per_artist=0, keep_copies=True)


class Draft:
    """Gives tracks to points in rounds: in each, every point gets the nearest track that is allowed and still free.

    In the first round, a point gets a track whenever there is an allowed one, however far away. No track is given
    twice, and all given tracks together are within the limits.

    Attributes:
        given: the tracks that each point has, the nearest first.
        emptied_by: the field of the filter that left no track for any point, or "".
        is_limited: True if a track was not given because of others, by a limit or as a copy.
    """

    def __init__(self, select: Callable[[TrackQuery], Selected], table: TrackTable, caps: Caps) -> None:
        """Gives nothing yet.

        Args:
            select: chooses the tracks of a query.
            table: the properties of the tracks.
            caps: counts the tracks that are given.
        """
        self._select, self._table, self._caps = select, table, caps
        self._taken: set[str] = set()
        self._is_exhausted = False  # no track is left for any point
        self.given: list[list[Neighbour]] = []
        self.emptied_by = ""
        self.is_limited = False

    def give(self, points: Vectors, query: TrackQuery) -> None:
        """Gives tracks to points.

        Args:
            points: the points [p, e] of length 1.
            query: the tracks that are allowed; its embedding does not matter.
        """
        self.given = [[] for _ in points]
        offers = [self._offered(point, query) for point in points]
        if self.emptied_by:
            return
        self.emptied_by = _common([selected.emptied_by for selected in offers])
        free = [self._free(selected.neighbours) for selected in offers]
        for number in range(ROUNDS):
            for point, own, offer, given in zip(points, free, offers, self.given, strict=True):
                track = next(own, None)
                if track is None and number == 0 and len(offer.neighbours) == OFFERED and not self._is_exhausted:
                    track = self._farther(replace(query, embedding=point))
                if track is not None:
                    given.append(track)
                    self._taken.add(track.track_id)
        self.is_limited |= self._caps.has_refused

    def _offered(self, point: Vectors, query: TrackQuery) -> Selected:
        """Returns the nearest tracks of a point, whatever the limits."""
        if self.emptied_by:
            return Selected([])
        criteria = Criteria(query.criteria.filter, _EVERYTHING)
        selected = self._select(replace(query, embedding=point, count=OFFERED, criteria=criteria))
        if selected.emptied_by != "min_similarity":  # that may be otherwise at another point
            self.emptied_by = selected.emptied_by
        return selected

    def _free(self, neighbours: list[Neighbour]) -> Iterator[Neighbour]:
        """Yields the tracks that no point has and that are within the limits, when they are reached, and counts them.

        A track that is refused once is refused for ever, since counts only grow.
        """
        labels = self._table.labels_of([neighbour.track_id for neighbour in neighbours])
        for neighbour, own in zip(neighbours, labels, strict=True):
            if neighbour.track_id not in self._taken and self._caps.take(*own):
                yield neighbour

    def _farther(self, query: TrackQuery) -> Neighbour | None:
        """Returns the nearest track of a query that is free and within the limits, however far away."""
        counted = (*query.counted, *self._taken)
        selected = self._select(replace(query, count=1, exclude=query.exclude | self._taken, counted=counted))
        self.is_limited |= selected.is_limited
        wanted = query.criteria.filter
        self._is_exhausted = not selected.neighbours and (wanted is None or wanted.min_similarity is None)
        for neighbour in selected.neighbours:
            self._caps.take(*next(iter(self._table.labels_of([neighbour.track_id]))))
        return next(iter(selected.neighbours), None)


def _common(texts: list[str]) -> str:
    """Returns the text that all of some texts are, or ""."""
    return texts[0] if len(set(texts)) == 1 else ""
