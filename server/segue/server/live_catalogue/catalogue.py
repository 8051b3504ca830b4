"""The catalogue as the server searches it: a snapshot, what came since, and what was removed since.

A ``View`` never changes. ``LiveCatalogue`` follows the store's events in the background and puts a new view in place of
the old one, whole, so that a search needs no lock and sees one state of the catalogue from beginning to end.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import NamedTuple

from segue.core.catalogue.records import Identity, Track
from segue.core.catalogue.store import TrackStore, all_track_ids
from segue.core.errors import CatalogueEmpty, CatalogueMismatch, SegueError, StoreUnavailable, TrackNotFound
from segue.core.index import snapshot
from segue.core.index.vector_index import Neighbour, Vectors
from segue.core.model.artifact import Manifest
from segue.server.live_catalogue.compaction import Compactor
from segue.server.live_catalogue.metadata_cache import MetadataCache
from segue.server.live_catalogue.view import View
from segue.server.observability.metrics import Metrics

POLL_SECONDS = 0.25
# While something is wrong it is looked at less and less often, down to this.
_SLOWEST_POLL_SECONDS = 0.5
_CLOSE_SECONDS = 20.0
_EVENTS_AT_ONCE = 10_000
_REMEMBERED_AT_ONCE = 1_000
# A few more than are wanted, for those that were removed in this moment.
_SPARE = 10

_log = logging.getLogger(__name__)


class Found(NamedTuple):
    """What is near to a seed.

    Attributes:
        tracks: the nearest first.
        revision: of the catalogue that was searched.
        stale: whether the store did not answer, and this is what was last known.
    """

    tracks: list[tuple[Neighbour, Track]]
    revision: int
    stale: bool


class LiveCatalogue:
    """Follows a store; ``start`` and ``close`` it."""

    def __init__(
        self,
        data: Path,
        manifest: Manifest,
        open_store: Callable[[], AbstractContextManager[TrackStore]],
        metrics: Metrics | None = None,
    ) -> None:
        """Opens nothing yet.

        Args:
            data: the folder with the snapshots.
            manifest: the model that the catalogue is to be of.
            open_store: opens the store.
            metrics: where searches and the one question that every look at the store begins with are timed.
        """
        self._metrics = metrics or Metrics()
        self._remembered = MetadataCache()
        self._complete: View | None = None
        self._compactor = Compactor(View.compacted)
        self._data = data
        self._manifest = manifest
        self._open_store = open_store
        self._resources = ExitStack()
        self._store: TrackStore | None = None
        self._view = View()
        self._snapshot_seen = 0
        self._problem: SegueError | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="catalogue", daemon=True)

    def start(self) -> None:
        """Reads the catalogue once and follows it from then on.

        Raises:
            CatalogueMismatch: it was made by another model or front end.
        """
        self.refresh()
        if isinstance(self._problem, CatalogueMismatch):
            self._resources.close()
            raise self._problem
        self._thread.start()

    def close(self) -> None:
        """Stops following and lets go of the store."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(_CLOSE_SECONDS)
        self._compactor.close()
        self._resources.close()

    @property
    def problem(self) -> SegueError | None:
        """What keeps the catalogue from being read now, or None."""
        return self._problem

    @property
    def view(self) -> View:
        """The newest view, whether or not the store answers."""
        return self._view

    def searchable(self) -> View:
        """The newest view, when there is something in it.

        Raises:
            CatalogueMismatch: the catalogue was made anew by another model.
            StoreUnavailable: the store has not answered yet.
            CatalogueEmpty: nothing was indexed.
        """
        # Read once: the other thread may have mended it by the next line.
        view, problem = self._view, self._problem
        if isinstance(problem, CatalogueMismatch) or (problem and not len(view)):
            raise problem.with_traceback(None)  # it is raised often, and would gather where it went
        if not len(view):
            raise CatalogueEmpty("The catalogue is empty. Index some music first: segue-indexer add FOLDER")
        return view

    @property
    def store(self) -> TrackStore:
        """The store, for metadata.

        Raises:
            StoreUnavailable: it did not answer when it was last asked, so nobody has to wait to hear it again.
        """
        problem = self._problem
        if self._store is None or isinstance(problem, StoreUnavailable):
            problem = problem or StoreUnavailable("Redis has not answered yet. Try again in a second.")
            raise problem.with_traceback(None)
        return self._store

    @property
    def stale(self) -> bool:
        """Whether the store does not answer, so that the view is what was last known."""
        return isinstance(self._problem, StoreUnavailable)

    @property
    def can_recommend(self) -> bool:
        """Whether every recommendation can be answered, by the store or from memory."""
        if self.stale:
            return len(self._view) > 0 and self._view is self._complete
        return not isinstance(self._problem, CatalogueMismatch)

    def embedding(self, track_id: str) -> Vectors:
        """The embedding [e] of a track, from memory where the store does not answer.

        Raises:
            TrackNotFound: there is no such track.
            StoreUnavailable: the store does not answer, and memory knows no such track.
        """
        try:
            (found,) = self.store.embeddings([track_id])
        except StoreUnavailable as error:
            self._note(error)
            (found,) = self._view.embeddings([track_id])
            if found is None:
                raise
        if found is None:
            raise TrackNotFound(track_id)
        return found

    def nearest(self, query: Vectors, k: int, seed: str) -> Found:
        """The ``k`` tracks nearest to an embedding [e], without the seed; from memory where the store does not answer.

        Raises:
            CatalogueMismatch: the catalogue was made anew by another model.
            StoreUnavailable: the store does not answer, and not all that is needed is remembered.
            CatalogueEmpty: nothing was indexed.
        """
        view = self.searchable()
        with self._metrics.time_stage("search"):
            near = view.search(query, k + _SPARE, {seed})
        try:
            with self._metrics.time_stage("metadata"):
                tracks = tracks_of(self.store, near)
        except StoreUnavailable as error:
            self._note(error)
            return Found(self._from_memory(near[:k], error), view.revision, stale=True)
        self._remembered.put(track for _, track in tracks)
        return Found(tracks[:k], view.revision, stale=False)

    def _from_memory(self, near: Sequence[Neighbour], error: StoreUnavailable) -> list[tuple[Neighbour, Track]]:
        known = self._remembered.get([neighbour.track_id for neighbour in near])
        found = [(neighbour, track) for neighbour, track in zip(near, known, strict=True) if track is not None]
        if len(found) < len(near):
            raise error
        return found

    def _remember(self, store: TrackStore) -> None:
        """Reads what is not remembered of the view's tracks, a part at each look."""
        view = self._view
        if view is self._complete:
            return
        missing = self._remembered.missing(view.track_ids())
        if missing:
            found = store.get(missing[:_REMEMBERED_AT_ONCE])
            self._remembered.put(track for track in found if track is not None)
        if len(missing) <= _REMEMBERED_AT_ONCE and len(view) <= len(self._remembered):
            self._complete = view

    def _follow(self) -> None:
        wait = POLL_SECONDS
        while not self._stop.wait(wait):
            self.refresh()
            wait = min(2 * wait, _SLOWEST_POLL_SECONDS) if self._problem else POLL_SECONDS

    def refresh(self) -> None:
        """Brings the view up to date, or keeps the reason why it cannot be in ``problem``."""
        try:
            self._look()
        except SegueError as error:
            self._note(error)
        except Exception as error:  # noqa: BLE001 - the thread must outlive whatever one look at the store meets
            self._note(StoreUnavailable(f"The catalogue cannot be read: {type(error).__name__}: {error}"), error)
        else:
            if self._problem:
                _log.info("the catalogue is readable again")
            self._problem = None

    def _look(self) -> None:
        if self._store is None:
            self._store = self._resources.enter_context(self._open_store())
        elif isinstance(self._problem, StoreUnavailable):
            self._store.ping()
        self._catch_up(self._store)
        self._remember(self._store)

    def _note(self, problem: SegueError, cause: Exception | None = None) -> None:
        """Remembers what is wrong, and logs it when it is news."""
        if str(problem) != str(self._problem):
            _log.warning("%s", problem, exc_info=cause)
        self._problem = problem

    def _catch_up(self, store: TrackStore) -> None:
        with self._metrics.redis_seconds.time():
            identity = store.identity()
        if identity != self._view.identity:
            self._remembered, self._complete = MetadataCache(), None
        if identity is None:
            if self._view.identity:
                _log.warning("Redis holds no catalogue any more. Restore a backup of it, or index anew.")
            self._view = View()
            return
        self._check(identity)
        # In this order: whatever was published by now holds nothing that the store's last event does not know of.
        view, published = self._view, snapshot.newest_revision(self._data)
        newest = store.revision()
        lost = view.identity != identity or view.revision > newest or view.revision + 1 < store.oldest_revision()
        if lost or published != self._snapshot_seen:
            view = self._load(store, identity, newest)
            self._snapshot_seen = published
        view = self._compacted(view)
        while events := store.events(view.revision, _EVENTS_AT_ONCE):
            view = view.apply(events, store)
        self._view = view
        self._compactor.offer(view)

    def _compacted(self, view: View) -> View:
        """What the compactor has made of an earlier view with the same index, or the view as it is."""
        made = self._compactor.finished()
        return made[1] if made and made[0].base is view.base else view

    def _check(self, identity: Identity) -> None:
        if identity.key != self._manifest.key:
            features = self._manifest.features.fingerprint
            raise CatalogueMismatch(
                f"The catalogue was made by {identity.model_id} (front end {identity.fingerprint}), and this server "
                f"runs {self._manifest.model_id} (front end {features}). Start it with that model, or index anew."
            )

    def _load(self, store: TrackStore, identity: Identity, newest: int) -> View:
        """The newest snapshot that events can still be followed from, or else everything from the store itself."""
        loaded = snapshot.load_newest(self._data, identity, since=store.oldest_revision() - 1, until=newest)
        if loaded:
            _log.info("the snapshot of event %d is loaded: %d tracks", loaded.header.revision, loaded.header.tracks)
            return View(identity, loaded.header.revision, loaded.index, frozenset(loaded.index.track_ids))
        ids = list(all_track_ids(store))
        found = zip(ids, store.embeddings(ids), strict=True)
        return View(identity, newest, added={track_id: vector for track_id, vector in found if vector is not None})


def tracks_of(store: TrackStore, neighbours: Sequence[Neighbour]) -> list[tuple[Neighbour, Track]]:
    """The neighbours with what is known of them, without those that were removed in this moment."""
    found = store.get([neighbour.track_id for neighbour in neighbours])
    return [(neighbour, track) for neighbour, track in zip(neighbours, found, strict=True) if track is not None]
