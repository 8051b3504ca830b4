"""Finds playlists in the live catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from segue.core.index.vector_index import Neighbour, Vectors
from segue.core.selection.caps import Caps
from segue.core.selection.criteria import Criteria, Variety
from segue.core.selection.labels import NONE
from segue.core.selection.selector import TrackSelector
from segue.core.selection.track_query import Selected, TrackQuery
from segue.core.selection.track_table import TrackTable
from segue.core.selection.view import View
from segue.server.live_catalogue.playlists.continuation import Candidates, PlayedList, continuation
from segue.server.live_catalogue.playlists.draft import Draft
from segue.server.live_catalogue.playlists.paths import Layer, angle_between, smoothest, waypoints
from segue.server.observability.metrics import Metrics
from segue.server.selection.nearest_tracks import SPARE, FoundNeighbours

Numbers = NDArray[np.int64]

CONTINUATION_POOL = 500
"""Number of the tracks nearest to a list from which its continuation is chosen."""


@dataclass(frozen=True)
class ContinuationQuery:
    """A list to continue.

    Attributes:
        played: its items.
        start: the embedding [e] of length 1 of the whole list.
        track_ids: ids of the items that are clips or tracks, which are not found.
        last: id of the last item if it is a clip or a track, else "".
        count: number of tracks to find, at least 1.
        criteria: the conditions of the caller.
    """

    played: PlayedList
    start: Vectors
    track_ids: frozenset[str]
    last: str
    count: int
    criteria: Criteria


class PathEnd(NamedTuple):
    """An end of a path.

    Attributes:
        embedding: its embedding [e] of length 1.
        track_id: its id if it is a clip or a track, which is found nowhere else in the path, else "".
        is_track: True if the end is a part of the path.
    """

    embedding: Vectors
    track_id: str = ""
    is_track: bool = False


@dataclass(frozen=True)
class PathQuery:
    """A path to find.

    Attributes:
        start: where it starts.
        end: where it ends.
        between: number of tracks between the ends, at least 1.
        criteria: the conditions of the caller.
    """

    start: PathEnd
    end: PathEnd
    between: int
    criteria: Criteria

    @property
    def seeds(self) -> frozenset[str]:
        """Ids of the ends that are clips or tracks."""
        return frozenset({self.start.track_id, self.end.track_id} - {""})

    @property
    def ends(self) -> tuple[str, ...]:
        """Ids of the ends that are a part of the path."""
        return tuple(end.track_id for end in (self.start, self.end) if end.is_track)


class FoundPath(NamedTuple):
    """A path.

    Attributes:
        found: its tracks in order, each with its similarity to the one before.
        steps: the angles [s] between neighbours in degrees, from start to end.
    """

    found: FoundNeighbours
    steps: Sequence[float]


class SearchedTracks(Protocol):
    """The tracks that are searched; see ``CatalogueSearch``."""

    @property
    def selector(self) -> TrackSelector:
        """Chooses tracks of a view."""
        ...

    @property
    def table(self) -> TrackTable:
        """The properties by which tracks are chosen."""
        ...

    @property
    def damaged_tracks(self) -> frozenset[str]:
        """The ids of the tracks whose records are damaged."""
        ...

    def check_searchable(self, criteria: Criteria) -> View:
        """Returns the newest view, which can be searched for these criteria."""
        ...


class PlaylistSearch:
    """Finds playlists in the newest view; every method is thread-safe."""

    def __init__(self, tracks: SearchedTracks, metrics: Metrics) -> None:
        """Searches nothing yet.

        Args:
            tracks: the tracks.
            metrics: receives the durations of searches.
        """
        self._tracks, self._metrics = tracks, metrics

    def continue_list(self, query: ContinuationQuery) -> FoundNeighbours:
        """Returns the tracks to play after a list, each with its similarity to the list before it.

        Raises:
            SegueError: as ``check_searchable``.
        """
        view, variety = self._tracks.check_searchable(query.criteria), query.criteria.variety
        with self._metrics.time_stage("search"):
            criteria = Criteria(query.criteria.filter, replace(variety, diversity=0.0))
            selected = self._select(view, TrackQuery(query.start, CONTINUATION_POOL, query.track_ids, criteria))
            nearest = selected.neighbours
            candidates = Candidates(*self._described(view, nearest, variety))
            last = int(self._artists([query.last], variety)[0])
            steps = continuation(query.played, candidates, query.count + SPARE, variety.diversity, last)
        neighbours = [Neighbour(nearest[step.candidate].track_id, step.similarity) for step in steps]
        return _found(view, selected._replace(neighbours=neighbours), query.count, criteria)

    def find_path(self, query: PathQuery) -> FoundPath:
        """Returns a path, without any track if a filter leaves none between the ends.

        Raises:
            SegueError: as ``check_searchable``.
        """
        view, criteria = self._tracks.check_searchable(query.criteria), query.criteria
        with self._metrics.time_stage("search"):
            draft = self._draft(view, query, query.between)
            if draft.emptied_by:
                return FoundPath(_found(view, Selected([], draft.emptied_by), 1, criteria), ())
            path, steps = self._smoothest(view, query, self._pools(view, query, draft))
        return FoundPath(_found(view, Selected(path, is_limited=draft.is_limited), len(path), criteria), steps)

    def _pools(self, view: View, query: PathQuery, draft: Draft) -> list[list[Neighbour]]:
        """Returns the tracks of each point that has some.

        Where there are fewer tracks than points, the first points would have all of them, and the path one long step at
        the end. So there are as many points as tracks then, unless some points lack a track for being far from all.
        """
        pools = [pool for pool in draft.given if pool]
        wanted, between = query.criteria.filter, query.between
        while 0 < len(pools) < between and (wanted is None or wanted.min_similarity is None):
            between = len(pools)
            pools = [pool for pool in self._draft(view, query, between).given if pool]
        return pools

    def _draft(self, view: View, query: PathQuery, between: int) -> Draft:
        """Gives so many points between the ends of a path some tracks each."""
        table, variety = self._tracks.table, query.criteria.variety
        caps = Caps(variety, table.groups_of(query.seeds), table.labels_of(query.ends))
        draft = Draft(partial(self._select, view), table, caps)
        points = waypoints(query.start.embedding, query.end.embedding, between)
        draft.give(points, TrackQuery(points[0], 1, query.seeds, query.criteria, counted=query.ends))
        return draft

    def _smoothest(
        self, view: View, query: PathQuery, pools: list[list[Neighbour]]
    ) -> tuple[list[Neighbour], list[float]]:
        """Returns the smoothest path with one track of each pool, and the angles between its neighbours in degrees."""
        variety = query.criteria.variety
        inner = [Layer(*self._described(view, pool, variety)) for pool in pools]
        layers = [self._end_layer(query.start, variety), *inner, self._end_layer(query.end, variety)]
        numbers = smoothest(layers)
        vectors = [layer.embeddings[number] for layer, number in zip(layers, numbers, strict=True)]
        steps = [angle_between(before, after) for before, after in pairwise(vectors)]
        inside = [pool[number].track_id for pool, number in zip(pools, numbers[1:-1], strict=True)]
        start, end = (each.track_id if each.is_track else "" for each in (query.start, query.end))
        similarities = np.cos([0.0, *steps]).tolist()
        path = map(Neighbour, [start, *inside, end], similarities)
        return [neighbour for neighbour in path if neighbour.track_id], np.degrees(steps).tolist()

    def _end_layer(self, end: PathEnd, variety: Variety) -> Layer:
        return Layer(end.embedding[np.newaxis], self._artists([end.track_id], variety))

    def _select(self, view: View, query: TrackQuery) -> Selected:
        """Chooses tracks without damaged ones."""
        exclude = query.exclude | self._tracks.damaged_tracks
        return self._tracks.selector.select(view, replace(query, exclude=exclude))

    def _described(self, view: View, tracks: Sequence[Neighbour], variety: Variety) -> tuple[Vectors, Numbers]:
        """Returns the embeddings [n, e] of tracks of a view, and the numbers [n] of their artists."""
        track_ids = [track.track_id for track in tracks]
        vectors = [vector for vector in view.embeddings(track_ids) if vector is not None]
        embeddings = np.stack(vectors) if vectors else np.zeros((0, 1), np.float32)
        return embeddings, self._artists(track_ids, variety)

    def _artists(self, track_ids: Sequence[str], variety: Variety) -> Numbers:
        """Returns the numbers [n] of the artists of tracks, or NONE for all if artists do not matter."""
        if not variety.per_artist:
            return np.full(len(track_ids), NONE)
        return np.array([labels.artist for labels in self._tracks.table.labels_of(track_ids)], np.int64)


def _found(view: View, selected: Selected, count: int, criteria: Criteria) -> FoundNeighbours:
    neighbours, emptied_by, is_limited = selected
    return FoundNeighbours(neighbours, count, view.revision, emptied_by, is_limited, criteria.filter is not None)
