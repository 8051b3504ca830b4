"""The catalogue that the server searches: it follows the store, and keeps the newest view of it in memory.

A ``View`` never changes. ``LiveCatalogue`` replaces it with a new one in the background, so a search needs no lock and
sees one state of the catalogue from beginning to end.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

from segue.core.catalogue.identity import CatalogueState, Identity
from segue.core.catalogue.store import TrackStore
from segue.core.errors import (
    CatalogueEmpty,
    CatalogueLost,
    CatalogueMismatch,
    SegueError,
    StoreUnavailable,
    TrackNotFound,
)
from segue.core.index import snapshot
from segue.core.index.vector_index import Vectors
from segue.core.model.artifact import Manifest
from segue.core.selection.track_table import TrackTable
from segue.core.selection.view import View
from segue.server.live_catalogue.compaction import Compactor
from segue.server.live_catalogue.loading import load_view, updated
from segue.server.live_catalogue.lost_keys import LOST
from segue.server.live_catalogue.successor import CatalogueReplaced, check_model
from segue.server.live_catalogue.track_metadata import TrackMetadata
from segue.server.observability.metrics import Metrics
from segue.server.selection.nearest_tracks import FoundNeighbours, NearestTracks

POLL_SECONDS = 0.5
"""Pause between two polls of the store, which an idle server spends most of its time on."""

_CLOSE_SECONDS = 20.0

_log = logging.getLogger(__name__)


class LiveCatalogue:
    """A copy of a store's catalogue in memory; ``start`` begins to follow the store, ``close`` ends it.

    Attributes:
        metadata: the metadata of the tracks.
        table: the properties by which tracks are chosen; ``TextSearch`` fills it.
    """

    def __init__(
        self,
        data: Path,
        manifest: Manifest,
        open_store: Callable[[], AbstractContextManager[TrackStore]],
        metadata: TrackMetadata,
        metrics: Metrics | None = None,
        has_successor: Callable[[Identity], bool] = lambda _: False,
    ) -> None:
        """Creates an empty catalogue; opens nothing.

        Args:
            data: folder with the snapshots.
            manifest: manifest of the model that must have built the catalogue.
            open_store: opens the store.
            metadata: the metadata of the tracks, still empty.
            metrics: receives the durations of searches and of the first read of each poll.
            has_successor: returns whether the server has the other model that has built a catalogue.
        """
        self._has_successor = has_successor
        self._metrics, self.metadata = metrics or Metrics(), metadata
        self.table = TrackTable(manifest.tags)
        self._compactor = Compactor(View.compacted)
        self._data, self._manifest = data, manifest
        self._open_store = open_store
        self._resources = ExitStack()
        self._store: TrackStore | None = None
        self._view = View()
        self._loaded_snapshot = 0
        self._problem: SegueError | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="catalogue", daemon=True)

    def start(self) -> None:
        """Reads the catalogue once, and follows it from then on."""
        self.refresh()
        self._thread.start()

    def close(self) -> None:
        """Stops following the store and closes it."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(_CLOSE_SECONDS)
        self._compactor.close()
        self._resources.close()

    @property
    def problem(self) -> SegueError | None:
        """The error of the last poll of the store, or None."""
        return self._problem

    @property
    def is_replaced(self) -> bool:
        """True if another model has built the catalogue, and the server has it; this view is served until then."""
        return isinstance(self._problem, CatalogueReplaced)

    @property
    def is_damaged(self) -> bool:
        """True if Redis has lost keys of the catalogue."""
        return isinstance(self._problem, CatalogueLost) or self.metadata.lost_keys.tracks > 0

    @property
    def damaged_records(self) -> int:
        """The number of damaged records that were met and are left out."""
        return len(self._store.damaged) if self._store else 0

    @property
    def damaged_tracks(self) -> frozenset[str]:
        """The ids of the tracks whose records are damaged."""
        return frozenset(self._store.damaged.names("track")) if self.damaged_records and self._store else frozenset()

    @property
    def view(self) -> View:
        """The newest view, which may be stale."""
        return self._view

    def searchable_view(self) -> View:
        """Returns the newest view, which has at least one track.

        Raises:
            CatalogueMismatch: another model has replaced the catalogue.
            StoreUnavailable: the store has not answered yet.
            CatalogueEmpty: the catalogue has no track.
        """
        # Each attribute is read once: the other thread may change it at any time.
        view, problem = self._view, self._problem
        if isinstance(problem, CatalogueMismatch) or (problem and not len(view)):
            raise problem.with_traceback(None)  # the same error is raised often, and would collect tracebacks
        if not len(view):
            raise CatalogueEmpty("The catalogue is empty. Index some music first: segue-indexer add FOLDER")
        return view

    @property
    def store(self) -> TrackStore:
        """The store, for metadata.

        Raises:
            StoreUnavailable: the store did not answer the last poll, so that no caller has to wait for it again.
        """
        problem = self._problem
        if self._store is None or isinstance(problem, StoreUnavailable):
            problem = problem or StoreUnavailable("Redis has not answered yet. Try again in a second.")
            raise problem.with_traceback(None)
        return self._store

    @property
    def stale(self) -> bool:
        """True if the store does not answer, so that the view may be old."""
        return isinstance(self._problem, StoreUnavailable)

    @property
    def can_recommend(self) -> bool:
        """True if every recommendation can be served, from the store or from memory."""
        if self.stale:
            return len(self._view) > 0 and self.metadata.is_complete(self._view)
        return not isinstance(self._problem, CatalogueMismatch)

    def embeddings(self, track_ids: Sequence[str]) -> list[Vectors]:
        """Returns the embeddings [e] of tracks, from memory unless they were added a moment ago.

        Raises:
            TrackNotFound: some ids have no track; the message names them.
            StoreUnavailable: the store does not answer, and the view lacks a track.
        """
        found = dict(zip(track_ids, self._view.embeddings(track_ids), strict=True))
        missing = [track_id for track_id, embedding in found.items() if embedding is None]
        if missing and not self.is_replaced:
            found |= zip(missing, self.store.embeddings(missing), strict=True)
        if unknown := [track_id for track_id, embedding in found.items() if embedding is None]:
            raise TrackNotFound(*unknown)
        return [embedding for track_id in track_ids if (embedding := found[track_id]) is not None]

    def described_from_memory(self, found: FoundNeighbours) -> NearestTracks | None:
        """Returns the found tracks with their metadata, or None if some of it has to be read from the store.

        Raises:
            StoreUnavailable: the store does not answer, and a track of the result is not in memory.
        """
        problem = self._problem
        if isinstance(problem, StoreUnavailable):
            return self._remembered(found, problem)
        tracks = self.metadata.fresh(found.neighbours[: found.k])
        return None if tracks is None else NearestTracks(tracks, found.revision, self.is_replaced)

    def described(self, found: FoundNeighbours) -> NearestTracks:
        """Returns the found tracks with their metadata, from the store as far as it is not in memory.

        Raises:
            StoreUnavailable: the store does not answer, and a track of the result is not in memory.
        """
        try:
            with self._metrics.time_stage("metadata"):
                revision = None if found.is_filtered else found.revision
                tracks = self.metadata.read(found.neighbours, found.k, self.store, revision)
        except StoreUnavailable as error:
            self._set_problem(error)
            return self._remembered(found, error)
        return NearestTracks(tracks, found.revision, self.is_replaced)

    def _remembered(self, found: FoundNeighbours, error: StoreUnavailable) -> NearestTracks:
        tracks = self.metadata.remembered(found.neighbours[: found.k], error.with_traceback(None))
        return NearestTracks(tracks, found.revision, stale=True)

    def _follow(self) -> None:
        while not self._stop.wait(POLL_SECONDS):
            self.refresh()

    def refresh(self) -> None:
        """Polls the store once: updates the view, or sets ``problem``."""
        try:
            self._poll()
        except SegueError as error:
            self._set_problem(error)
        except Exception as error:  # noqa: BLE001 - the thread must survive any error of one poll
            self._set_problem(StoreUnavailable(f"The catalogue cannot be read: {type(error).__name__}: {error}"), error)
        else:
            if self._problem:
                _log.info("the catalogue is readable again")
            self._problem = None

    def _poll(self) -> None:
        if self._store is None:
            self._store = self._resources.enter_context(self._open_store())
        elif isinstance(self._problem, StoreUnavailable):
            self._store.ping()
        # In this order: a snapshot that is published by now has no event that the store's newest revision lacks.
        published = snapshot.newest_revision(self._data)
        begun = time.monotonic()
        with self._metrics.redis_seconds.time():
            state = self._store.state()
        self._catch_up(self._store, state, published, begun)
        self.metadata.follow(self._view, state, self._store)
        if self.damaged_records:
            self._store.recheck_damaged()

    def _set_problem(self, problem: SegueError, cause: Exception | None = None) -> None:
        """Sets the problem, and logs it if it is new."""
        if str(problem) != str(self._problem):
            _log.warning("%s", problem, exc_info=cause)
        self._problem = problem

    def _catch_up(self, store: TrackStore, state: CatalogueState, published: int, begun: float) -> None:
        identity = state.identity
        if identity is None:
            if self._view.identity or state.tracks:
                raise CatalogueLost(LOST)
            return
        try:
            check_model(identity, self._manifest, self._has_successor)
        except CatalogueMismatch:
            self.metadata.forget()  # nothing is recommended from memory either, if Redis goes away
            raise
        if identity != self._view.identity:
            self.metadata.forget()
        if not state.revision and state.tracks:
            raise CatalogueLost(LOST)
        view = updated(self._compacted(self._view), store, state) if identity == self._view.identity else None
        if view is None and identity == self._view.identity:
            _log.warning("Redis has lost the last events of the catalogue, which is read again")
            self.metadata.forget()
        if view is None or published != self._loaded_snapshot:
            view = load_view(self._data, store, identity, state)
            self._loaded_snapshot = published
        view.prepare()
        if view.copies is not self._view.copies:
            self.table.group(view.copies)
        # First, so that no answer has older metadata than its revision.
        self.metadata.confirm(state.last_write if view.revision == state.revision else None, begun)
        self._view = view
        self._compactor.start_if_due(view)

    def _compacted(self, view: View) -> View:
        """Returns the compacted form of an earlier view with the same index if it is ready, else the view itself."""
        result = self._compactor.take_result()
        return result[1] if result and result[0].base is view.base else view
