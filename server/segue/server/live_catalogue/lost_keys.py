"""Notices keys that vanish from the store without an event, as in a Redis that evicts them."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from segue.core.catalogue.records import CatalogueState, Track
from segue.core.catalogue.store import TrackStore
from segue.core.errors import CatalogueLost
from segue.core.index.vector_index import Neighbour
from segue.core.quantities import quantity
from segue.server.live_catalogue.view import View

_MAX_SUSPECTS = 100
LOST = "Redis has lost the catalogue or its main keys. Restore a backup, or index the music again."
"""Message of CatalogueLost."""

_log = logging.getLogger(__name__)


class LostKeys:
    """Counts the tracks that have lost a key in the store.

    Attributes:
        tracks: number of tracks that are known to be incomplete; there may be more.
    """

    def __init__(self) -> None:
        self.tracks = 0
        self._suspects: dict[str, None] = {}

    def read_metadata(self, track_ids: Sequence[str], store: TrackStore) -> list[Track | None]:
        """Reads tracks of a view, None for each that is missing: lost, or removed a moment ago. Thread-safe."""
        tracks = store.get(track_ids)
        for track_id, track in zip(track_ids, tracks, strict=True):
            if track is None and len(self._suspects) < _MAX_SUSPECTS:
                self._suspects[track_id] = None
        return tracks

    def with_metadata(
        self, neighbours: Sequence[Neighbour], store: TrackStore, revision: int
    ) -> list[tuple[Neighbour, Track]]:
        """Returns the neighbours with their tracks, without those whose track is missing.

        Args:
            neighbours: tracks of a view.
            store: the store.
            revision: revision of the view.

        Raises:
            CatalogueLost: all tracks are missing, and the store has no later event that removed them.
        """
        tracks = self.read_metadata([neighbour.track_id for neighbour in neighbours], store)
        found = [(neighbour, track) for neighbour, track in zip(neighbours, tracks, strict=True) if track is not None]
        if neighbours and not found and store.revision() <= revision:
            raise CatalogueLost(LOST)
        return found

    def check(self, view: View, state: CatalogueState, store: TrackStore) -> None:
        """Compares the store with a view of it, unless the store has changed since; logs it if more are lost."""
        if state.revision != view.revision:
            return
        lost = max(abs(state.tracks - len(view)), self._without_metadata(view, store))
        if lost and store.revision() != view.revision:
            return
        if lost > self.tracks:
            _log.warning(
                "Redis has lost keys of at least %s, and nothing removed them. Does it evict keys (maxmemory-policy)? "
                "Run `segue-indexer verify`, or restore a backup.",
                quantity(lost, "track"),
            )
        self.tracks = lost

    def _without_metadata(self, view: View, store: TrackStore) -> int:
        suspects = list(self._suspects)
        if not suspects:
            return 0
        pairs = zip(suspects, view.embeddings(suspects), store.get(suspects), strict=True)
        lost = {track_id for track_id, vector, track in pairs if vector is not None and track is None}
        for track_id in set(suspects) - lost:
            del self._suspects[track_id]
        return len(lost)
