"""Notices keys that vanish from the store without an event, as in a Redis that evicts them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Protocol

from segue.core.catalogue.identity import CatalogueState
from segue.core.catalogue.records import Track, Vector
from segue.core.catalogue.store import TrackStore
from segue.core.errors import CatalogueLost
from segue.core.quantities import quantity

_MAX_SUSPECTS = 100
LOST = "Redis has lost the catalogue or its main keys. Restore a backup, or index the music again."
"""Message of CatalogueLost."""

_log = logging.getLogger(__name__)


class SearchedView(Protocol):
    """The tracks that are searched; ``View`` has them."""

    @property
    def revision(self) -> int:
        """The last event in the view."""

    def __len__(self) -> int:
        """Returns the number of tracks."""

    def track_ids(self) -> list[str]:
        """Returns the ids of the tracks."""

    def embeddings(self, track_ids: Sequence[str]) -> Sequence[Vector | None]:
        """Returns the embeddings [e] of these tracks, None for each that is not in the view."""


class LostKeys:
    """Counts the tracks that have lost a key in the store.

    Attributes:
        tracks: number of tracks that are known to be incomplete; there may be more.
    """

    def __init__(self) -> None:
        self.tracks = 0
        self._suspects: dict[str, None] = {}

    def read_metadata(self, track_ids: Sequence[str], store: TrackStore) -> list[Track | None]:
        """Reads tracks of a view, None for each that is damaged, lost, or removed a moment ago. Thread-safe."""
        tracks = store.get(track_ids)
        for track_id in _missing(track_ids, tracks, store):
            if len(self._suspects) < _MAX_SUSPECTS:
                self._suspects[track_id] = None
        return tracks

    def check_removed(self, track_ids: Sequence[str], store: TrackStore, revision: int) -> None:
        """Checks that tracks of a view without metadata are damaged, or were removed a moment ago.

        Args:
            track_ids: ids of the tracks.
            store: the store.
            revision: revision of the view.

        Raises:
            CatalogueLost: one is not damaged, and the store has no later event that removed it.
        """
        if _missing(track_ids, [None] * len(track_ids), store) and store.revision() <= revision:
            raise CatalogueLost(LOST)

    def check(self, view: SearchedView, state: CatalogueState, store: TrackStore) -> None:
        """Compares the store with a view of it, unless the store has changed since; logs it if more are lost."""
        if state.revision != view.revision:
            return
        without_embedding = abs(state.tracks - len(view)) - len(store.damaged.names("embedding"))
        lost = max(0, without_embedding, self._without_metadata(view, store))
        if lost and store.revision() != view.revision:
            return
        if lost > self.tracks:
            _log.warning(
                "Redis has lost keys of at least %s, and nothing removed them. Does it evict keys (maxmemory-policy)? "
                "Run `segue-indexer verify`, or restore a backup.",
                quantity(lost, "track"),
            )
        self.tracks = lost

    def _without_metadata(self, view: SearchedView, store: TrackStore) -> int:
        suspects = list(self._suspects)
        if not suspects:
            return 0
        vectors = dict(zip(suspects, view.embeddings(suspects), strict=True))
        missing = _missing(suspects, store.get(suspects), store)
        lost = {track_id for track_id in missing if vectors[track_id] is not None}
        for track_id in set(suspects) - lost:
            del self._suspects[track_id]
        return len(lost)


def _missing(track_ids: Sequence[str], tracks: Sequence[Track | None], store: TrackStore) -> list[str]:
    """Returns the ids without a track that the store does not know to be damaged."""
    if None not in tracks:
        return []
    damaged = set(store.damaged.names("track"))
    return [
        track_id for track_id, track in zip(track_ids, tracks, strict=True) if track is None and track_id not in damaged
    ]
