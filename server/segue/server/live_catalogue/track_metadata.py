"""Describes the tracks of a search by their metadata: from memory, or from the store."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from segue.core.catalogue.identity import CatalogueState
from segue.core.catalogue.records import Track
from segue.core.catalogue.store import TrackStore
from segue.core.errors import StoreUnavailable
from segue.core.index.vector_index import Neighbour
from segue.server.live_catalogue.lost_keys import LostKeys, SearchedView
from segue.server.live_catalogue.metadata_cache import FRESH_SECONDS, MetadataCache

DescribedTracks = list[tuple[Neighbour, bytes]]
"""Neighbours with their encoded metadata."""

_TRACKS_PER_READ = 1_000
# So many of the tracks that were answered from memory are compared with the store at each poll.
_CHECKED_PER_POLL = 20

_log = logging.getLogger(__name__)


class TrackMetadata:
    """The metadata of the tracks of a catalogue, as many as fit in memory; ``follow`` keeps them up to date.

    Attributes:
        lost_keys: the tracks that have lost a key in the store.
    """

    def __init__(self, max_bytes: int, encode: Callable[[Track], bytes], fresh_seconds: float = FRESH_SECONDS) -> None:
        """Reads nothing yet.

        Args:
            max_bytes: largest memory of the cached tracks.
            encode: encodes a track as callers get it.
            fresh_seconds: time for which a track may be sent without another look at the store.
        """
        self.lost_keys = LostKeys()
        self._max_bytes = max_bytes
        self._encode = encode
        self._fresh_seconds = fresh_seconds
        self._is_warned = False
        self.forget()

    def forget(self) -> None:
        """Forgets all tracks, as those of another catalogue."""
        self._cache = MetadataCache(self._max_bytes, self._fresh_seconds)
        self._filled_view: SearchedView | None = None  # the last view whose tracks were read, as far as they fit
        self._pending: list[str] = []  # ids of tracks to read, the next ones at the end
        self._planned_view: SearchedView | None = None  # the view for which they were found out, since the last write
        self._is_written = False  # since the poll before the last one
        self._wanted = 0  # number of tracks of the filled view that can be in memory
        self._planned_from = 0  # number of tracks in memory when the last view was planned
        self._answered: set[str] = set()  # a part of the tracks that were answered from memory since the last poll

    @property
    def used_bytes(self) -> int:
        """The memory of the cached tracks in bytes, about."""
        return self._cache.used_bytes

    def is_complete(self, view: SearchedView) -> bool:
        """Returns whether all tracks of a view are in memory."""
        return view is self._filled_view and len(self._cache) >= self._wanted

    def fresh(self, neighbours: Sequence[Neighbour]) -> DescribedTracks | None:
        """Returns the neighbours with their tracks, if all are in memory and none of them can have changed."""
        found = self._cache.get_fresh([neighbour.track_id for neighbour in neighbours])
        if None in found:
            return None
        if len(self._answered) < _CHECKED_PER_POLL:
            self._answered.update(neighbour.track_id for neighbour in neighbours)
        return [(neighbour, encoded) for neighbour, encoded in zip(neighbours, found, strict=True) if encoded]

    def remembered(self, neighbours: Sequence[Neighbour], error: StoreUnavailable) -> DescribedTracks:
        """Returns the neighbours with their tracks from memory, however old.

        Raises:
            StoreUnavailable: ``error``, since a track is not in memory.
        """
        found = self._cache.get([neighbour.track_id for neighbour in neighbours])
        if None in found:
            raise error
        return [(neighbour, encoded) for neighbour, encoded in zip(neighbours, found, strict=True) if encoded]

    def read(self, neighbours: Sequence[Neighbour], k: int, store: TrackStore, revision: int | None) -> DescribedTracks:
        """Returns the first ``k`` neighbours with their tracks, and reads those that are not fresh in one round trip.

        Neighbours whose track is missing or damaged are left out. Only for them another round trip reads further ones.

        Args:
            neighbours: tracks of a view.
            k: largest number of tracks to return.
            store: the store.
            revision: revision of the view, or None for neighbours that meet a filter, which may be one lost track.

        Raises:
            CatalogueLost: all tracks are missing, not damaged, and the store has no later event that removed them.
        """
        track_ids = [neighbour.track_id for neighbour in neighbours]
        found = self._find(track_ids[:k], store)
        if len(found) < k:
            found |= self._find(track_ids[k:], store)
        if not found and revision is not None:
            self.lost_keys.check_removed(track_ids, store, revision)
        return [(neighbour, found[neighbour.track_id]) for neighbour in neighbours if neighbour.track_id in found][:k]

    def _find(self, track_ids: Sequence[str], store: TrackStore) -> dict[str, bytes]:
        """Returns the tracks that are fresh or can be read, by id."""
        fresh = self._cache.get_fresh(track_ids)
        found = {track_id: encoded for track_id, encoded in zip(track_ids, fresh, strict=True) if encoded is not None}
        return found | self._read([track_id for track_id in track_ids if track_id not in found], store)

    def _read(self, track_ids: Sequence[str], store: TrackStore) -> dict[str, bytes]:
        """Reads tracks into memory, and returns those that are not damaged, lost or removed."""
        cache = self._cache
        epoch = cache.epoch
        tracks = self.lost_keys.read_metadata(track_ids, store) if track_ids else []
        encoded = {
            track_id: None if track is None else self._encode(track)
            for track_id, track in zip(track_ids, tracks, strict=True)
        }
        cache.put(epoch, encoded)
        return {track_id: text for track_id, text in encoded.items() if text is not None}

    def confirm(self, last_write: str | None, seen: float) -> None:
        """Receives what was written last to the store, before ``follow``; see ``MetadataCache.confirm``."""
        self._is_written = self._cache.confirm(last_write, seen)
        if self._is_written:
            self._planned_view = None

    def follow(self, view: SearchedView, state: CatalogueState, store: TrackStore) -> None:
        """Reads a part of the tracks that are not in memory or may have changed, and looks for lost ones."""
        self._check_answered(store)
        self._fill(view, store)
        self.lost_keys.check(view, state, store)

    def _check_answered(self, store: TrackStore) -> None:
        """Reads some tracks that were answered from memory: damage and loss leave no trace but in their records."""
        answered, self._answered = self._answered, set()
        self._read(list(answered), store)

    def _fill(self, view: SearchedView, store: TrackStore) -> None:
        self._plan(view)
        self._read(self._pending[-_TRACKS_PER_READ:], store)
        del self._pending[-_TRACKS_PER_READ:]  # not before they are read: the store may be away
        if self._pending or view is self._filled_view:
            return
        if len(self._cache) > self._planned_from:
            self._plan_view(view)  # the room was estimated from the tracks that were in memory then
        if not self._pending:
            self._filled_view, self._planned_view = view, None
            damaged = set(store.damaged.names("track")).intersection(view.track_ids())  # they are in no result
            self._wanted = len(view) - len(damaged)
            self._warn(view)

    def _plan(self, view: SearchedView) -> None:
        """Finds out what to read: the tracks that are new in the view, then those that may have changed."""
        if view is self._planned_view:
            return
        if view is not self._filled_view:
            self._plan_view(view)
        elif not self._is_written:  # while a writer is at work, they would have changed again at the next poll
            self._pending, self._planned_view = self._cache.outdated(), view

    def _plan_view(self, view: SearchedView) -> None:
        self._planned_from = len(self._cache)
        self._pending, self._planned_view = self._cache.retain(view.track_ids()), view

    def _warn(self, view: SearchedView) -> None:
        """Logs once that some tracks are not in memory, until all are."""
        was_warned, self._is_warned = self._is_warned, not self.is_complete(view)
        if self._is_warned and not was_warned:
            _log.warning(
                "The metadata of %d of %d tracks is in memory: while Redis is away, Recommend fails for the others. "
                "Raise --metadata-mib if there is memory.",
                len(self._cache),
                len(view),
            )
