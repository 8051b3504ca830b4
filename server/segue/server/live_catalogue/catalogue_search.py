"""Searches the live catalogue for the tracks to recommend."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from segue.core.catalogue.store import TrackStore
from segue.core.errors import Starting
from segue.core.index.vector_index import Vectors
from segue.core.selection.criteria import Criteria, TrackFilter
from segue.core.selection.selector import TrackSelector
from segue.core.selection.track_query import Selected, TrackQuery
from segue.core.selection.track_table import TrackTable
from segue.core.selection.view import View
from segue.server.observability.metrics import Metrics
from segue.server.selection.nearest_tracks import SPARE, FoundNeighbours
from segue.server.selection.recall_sample import RecallSample


class SearchedCatalogue(Protocol):
    """The catalogue that is searched; see ``LiveCatalogue``."""

    @property
    def table(self) -> TrackTable:
        """The properties by which tracks are chosen."""
        ...

    @property
    def damaged_tracks(self) -> frozenset[str]:
        """The ids of the tracks whose records are damaged."""
        ...

    @property
    def store(self) -> TrackStore:
        """The store, or StoreUnavailable if it does not answer."""
        ...

    def searchable_view(self) -> View:
        """Returns the newest view, which has at least one track."""
        ...


class CatalogueSearch:
    """Finds tracks of the newest view; every method is thread-safe.

    Attributes:
        selector: chooses the tracks.
    """

    def __init__(self, catalogue: SearchedCatalogue, metrics: Metrics, sample: RecallSample | None = None) -> None:
        """Searches nothing yet.

        Args:
            catalogue: the catalogue.
            metrics: receives the durations of searches.
            sample: repeats some searches exactly, or None for none.
        """
        self._catalogue, self._metrics, self._sample = catalogue, metrics, sample
        self.selector = TrackSelector(catalogue.table)

    @property
    def table(self) -> TrackTable:
        """The properties by which tracks are chosen."""
        return self._catalogue.table

    @property
    def damaged_tracks(self) -> frozenset[str]:
        """The ids of the tracks whose records are damaged, and which are not found."""
        return self._catalogue.damaged_tracks

    def check_searchable(self, criteria: Criteria) -> View:
        """Returns the newest view, which can be searched for these criteria.

        Raises:
            Starting: the criteria have a filter, and the properties of the tracks are not read yet.
            CatalogueMismatch: another model has replaced the catalogue.
            StoreUnavailable: the store has not answered yet; or the criteria have a filter, and it does not answer now.
            CatalogueEmpty: the catalogue has no track.
        """
        view = self._catalogue.searchable_view()
        if criteria.filter and not self._catalogue.table.is_usable(len(view)):
            _ = self._catalogue.store  # raises if there is no use in waiting
            raise Starting(
                f"The server reads the tracks to filter: {len(self._catalogue.table):,} of {len(view):,} are there. "
                "Try again in a second."
            )
        return view

    def mean(self, wanted: TrackFilter) -> Vectors | None:
        """Returns the mean [e] of the tracks that a filter allows, brought to length 1, or None if there are none.

        Raises:
            SegueError: as ``check_searchable``.
        """
        return self.selector.mean(self.check_searchable(Criteria(wanted)), wanted)

    def find_quickly(self, query: TrackQuery, skip: int = 0) -> FoundNeighbours | None:
        """Returns what ``find`` returns if that takes about 1 ms at most, else None."""
        view, padded = self._catalogue.searchable_view(), self._padded(query, skip)
        if not self.selector.is_quick(view, padded):
            return None
        with self._metrics.time_stage("search"):
            selected = self.selector.select_quickly(view, padded)
        return None if selected is None else self._found(selected, query, skip, view)

    def find(self, query: TrackQuery, skip: int = 0) -> FoundNeighbours:
        """Returns the tracks of a query, after the first ``skip`` ones.

        Raises:
            SegueError: as ``check_searchable``.
        """
        view = self.check_searchable(query.criteria)
        with self._metrics.time_stage("search"):
            selected = self.selector.select(view, self._padded(query, skip))
        return self._found(selected, query, skip, view)

    def _padded(self, query: TrackQuery, skip: int) -> TrackQuery:
        """Returns the query for the skipped tracks as well, and for some more, without damaged ones."""
        exclude = query.exclude | self.damaged_tracks
        return replace(query, count=skip + query.count + SPARE, exclude=exclude)

    def _found(self, selected: Selected, query: TrackQuery, skip: int, view: View) -> FoundNeighbours:
        if self._sample:
            self._sample.offer(view, query.embedding, query.hidden)
        is_filtered = query.criteria.filter is not None
        if selected.neighbours and not skip and not is_filtered and query.is_one_seed:
            self._metrics.drift.found_first(selected.neighbours[0].similarity)
        neighbours, emptied_by, is_limited = selected
        return FoundNeighbours(neighbours[skip:], query.count, view.revision, emptied_by, is_limited, is_filtered)
