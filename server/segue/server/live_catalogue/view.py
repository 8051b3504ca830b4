"""One state of the catalogue as the server searches it: an index, what came since, and what was removed since."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from segue.core.catalogue.records import Event, Identity
from segue.core.catalogue.store import TrackStore
from segue.core.index.vector_index import ExactIndex, HnswIndex, Neighbour, VectorIndex, Vectors, ranked

NOTHING = ExactIndex([], np.zeros((0, 1), np.float32))


@dataclass(frozen=True)
class View:
    """One state of the catalogue.

    Attributes:
        identity: which catalogue, or None before anything was ever written.
        revision: the last event that this view has seen.
        base: the index of the snapshot, or what was compacted since.
        base_ids: the tracks in it.
        gone: those of them that were removed or replaced since.
        fresh: the embeddings of the tracks that were added since, by id.
    """

    identity: Identity | None = None
    revision: int = 0
    base: VectorIndex = NOTHING
    base_ids: frozenset[str] = frozenset()
    removed: frozenset[str] = frozenset()
    added: dict[str, Vectors] = field(default_factory=dict)

    @cached_property
    def added_index(self) -> VectorIndex:
        """What finds the tracks that were added since."""
        return ExactIndex(list(self.added), np.stack(list(self.added.values()))) if self.added else NOTHING

    def __len__(self) -> int:
        """How many tracks can be recommended."""
        return len(self.base) - len(self.removed) + len(self.added)

    @property
    def changes(self) -> int:
        """How many tracks were added, removed or replaced since the index of the snapshot was made."""
        return len(self.added) + len(self.removed)

    def track_ids(self) -> list[str]:
        """The tracks that can be recommended."""
        return [*(self.base_ids - self.removed), *self.added]

    def embeddings(self, track_ids: Sequence[str]) -> list[Vectors | None]:
        """The embeddings [e] of these tracks, None for each that is not in this view."""
        held = self.base.vectors(track_ids)
        return [
            self.added.get(track_id, None if track_id in self.removed else vector)
            for track_id, vector in zip(track_ids, held, strict=True)
        ]

    def compacted(self) -> View:
        """The same tracks in one index, which takes seconds to make of many."""
        ids = sorted(self.track_ids())
        vectors = np.stack([vector for vector in self.embeddings(ids) if vector is not None])
        return View(self.identity, self.revision, HnswIndex.build(ids, vectors, threads=1), frozenset(ids))

    def search(self, query: Vectors, k: int, exclude: Collection[str] = ()) -> list[Neighbour]:
        """The ``k`` nearest tracks; see ``VectorIndex``."""
        hidden = self.removed.union(exclude)
        return ranked([*self.base.search(query, k, hidden), *self.added_index.search(query, k, exclude)], k)

    def apply(self, events: Sequence[Event], store: TrackStore) -> View:
        """The view after some more events, at least one."""
        last = {event.track_id: event for event in events}
        added = [track_id for track_id, event in last.items() if event.kind == "add"]
        vectors = {
            track_id: vector
            for track_id, vector in zip(added, store.embeddings(added), strict=True)
            if vector is not None  # removed again by a later event
        }
        kept = {track_id: vector for track_id, vector in self.added.items() if track_id not in last}
        removed = self.removed | (self.base_ids & last.keys())
        return replace(self, revision=events[-1].revision, removed=removed, added=kept | vectors)
