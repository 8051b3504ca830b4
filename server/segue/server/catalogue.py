"""The catalogue as the server searches it: a snapshot, what came since, and what was removed since.

A ``View`` never changes. ``LiveCatalogue`` follows the store's events in the background and puts a new view in place of
the old one, whole, so that a search needs no lock and sees one state of the catalogue from beginning to end.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from segue.core import snapshot
from segue.core.artifact import Manifest
from segue.core.errors import CatalogueEmpty, CatalogueMismatch, SegueError, StoreUnavailable
from segue.core.index import ExactIndex, Neighbour, VectorIndex, Vectors, ranked
from segue.core.store import Event, Identity, Track, TrackStore, all_track_ids

POLL_SECONDS = 0.25
# While something is wrong it is looked at less and less often, down to this.
_SLOWEST_POLL_SECONDS = 2.0
_CLOSE_SECONDS = 20.0
_EVENTS_AT_ONCE = 10_000

_log = logging.getLogger(__name__)


NOTHING = ExactIndex([], np.zeros((0, 1), np.float32))


@dataclass(frozen=True)
class View:
    """One state of the catalogue.

    Attributes:
        identity: which catalogue, or None before anything was ever written.
        revision: the last event that this view has seen.
        base: the index of the snapshot.
        base_ids: the tracks in it.
        gone: those of them that were removed or replaced since.
        fresh: the embeddings of the tracks that were added since, by id.
    """

    identity: Identity | None = None
    revision: int = 0
    base: VectorIndex = NOTHING
    base_ids: frozenset[str] = frozenset()
    gone: frozenset[str] = frozenset()
    fresh: dict[str, Vectors] = field(default_factory=dict)

    @cached_property
    def fresh_index(self) -> VectorIndex:
        """What finds the tracks that were added since."""
        return ExactIndex(list(self.fresh), np.stack(list(self.fresh.values()))) if self.fresh else NOTHING

    def __len__(self) -> int:
        """How many tracks can be recommended."""
        return len(self.base) - len(self.gone) + len(self.fresh)

    def search(self, query: Vectors, k: int, without: Collection[str] = ()) -> list[Neighbour]:
        """The ``k`` nearest tracks; see ``VectorIndex``."""
        hidden = self.gone.union(without)
        return ranked([*self.base.search(query, k, hidden), *self.fresh_index.search(query, k, without)], k)

    def after(self, events: Sequence[Event], store: TrackStore) -> View:
        """The view after some more events, at least one."""
        last = {event.track_id: event for event in events}
        added = [track_id for track_id, event in last.items() if event.kind == "add"]
        vectors = {
            track_id: vector
            for track_id, vector in zip(added, store.embeddings(added), strict=True)
            if vector is not None  # removed again by a later event
        }
        kept = {track_id: vector for track_id, vector in self.fresh.items() if track_id not in last}
        gone = self.gone | (self.base_ids & last.keys())
        return replace(self, revision=events[-1].revision, gone=gone, fresh=kept | vectors)


class LiveCatalogue:
    """Follows a store; ``start`` and ``close`` it."""

    def __init__(
        self,
        data: Path,
        manifest: Manifest,
        open_store: Callable[[], AbstractContextManager[TrackStore]],
        time_answer: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        """Opens nothing yet.

        Args:
            data: the folder with the snapshots.
            manifest: the model that the catalogue is to be of.
            open_store: opens the store.
            time_answer: entered while the store is asked the one question that every look at it begins with.
        """
        self._time_answer = time_answer
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
        view = self._view
        if isinstance(self._problem, CatalogueMismatch) or (self._problem and not len(view)):
            raise self._problem
        if not len(view):
            raise CatalogueEmpty("The catalogue is empty. Index some music first: segue-indexer add FOLDER")
        return view

    @property
    def store(self) -> TrackStore:
        """The store, for metadata.

        Raises:
            StoreUnavailable: it did not answer when it was last asked, so nobody has to wait to hear it again.
        """
        if self._store is None or isinstance(self._problem, StoreUnavailable):
            raise self._problem or StoreUnavailable("Redis has not answered yet. Try again in a second.")
        return self._store

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

    def _note(self, problem: SegueError, cause: Exception | None = None) -> None:
        """Remembers what is wrong, and logs it when it is news."""
        if str(problem) != str(self._problem):
            _log.warning("%s", problem, exc_info=cause)
        self._problem = problem

    def _catch_up(self, store: TrackStore) -> None:
        with self._time_answer():
            identity = store.identity()
        if identity is None:
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
        while events := store.events(view.revision, _EVENTS_AT_ONCE):
            view = view.after(events, store)
        self._view = view

    def _check(self, identity: Identity) -> None:
        features = self._manifest.features.fingerprint
        if (identity.model_id, identity.fingerprint) != (self._manifest.model_id, features):
            raise CatalogueMismatch(
                f"The catalogue was made by {identity.model_id} (front end {identity.fingerprint}), and this server "
                f"runs {self._manifest.model_id} (front end {features}). Start it with that model, or index anew."
            )

    def _load(self, store: TrackStore, identity: Identity, newest: int) -> View:
        """The newest snapshot that events can still be followed from, or else everything from the store itself."""
        loaded = snapshot.load_newest(self._data, identity, since=store.oldest_revision() - 1, until=newest)
        if loaded:
            return View(identity, loaded.header.revision, loaded.index, frozenset(loaded.index.track_ids))
        ids = list(all_track_ids(store))
        found = zip(ids, store.embeddings(ids), strict=True)
        return View(identity, newest, fresh={track_id: vector for track_id, vector in found if vector is not None})


def tracks_of(store: TrackStore, neighbours: Sequence[Neighbour]) -> list[tuple[Neighbour, Track]]:
    """The neighbours with what is known of them, without those that were removed in this moment."""
    found = store.get([neighbour.track_id for neighbour in neighbours])
    return [(neighbour, track) for neighbour, track in zip(neighbours, found, strict=True) if track is not None]
