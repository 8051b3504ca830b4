"""An immutable state of the catalogue for searches: an index, the tracks added since, and the tracks removed since."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from segue.core.catalogue.identity import Identity
from segue.core.catalogue.records import Event
from segue.core.catalogue.store import TrackStore
from segue.core.index.vector_index import ExactIndex, HnswIndex, Neighbour, VectorIndex, Vectors, ranked

# Up to here a search takes about a millisecond at most, and does not have to leave the event loop.
_QUICK_NEIGHBOURS, _QUICK_COMPARISONS = 256, 2_500

EMPTY_INDEX = ExactIndex([], np.zeros((0, 1), np.float32))


@dataclass(frozen=True)
class View:
    """A state of the catalogue.

    Attributes:
        identity: identity of the catalogue, or None before anything was written.
        revision: the last event in this view.
        base: index of the snapshot, or the result of a compaction.
        base_ids: ids of the tracks in ``base``.
        removed: those of ``base_ids`` that were removed or replaced since.
        added: embeddings [e] of the tracks that were added since, by id.
        mark: mark of the last event in this view; see ``Event``.
        copies: the group of each track of the snapshot that has copies; see ``find_copies``.
    """

    identity: Identity | None = None
    revision: int = 0
    base: VectorIndex = EMPTY_INDEX
    base_ids: frozenset[str] = frozenset()
    removed: frozenset[str] = frozenset()
    added: dict[str, Vectors] = field(default_factory=dict)
    mark: int = 0
    copies: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def added_index(self) -> VectorIndex:
        """An exact index of the added tracks."""
        return ExactIndex(list(self.added), np.stack(list(self.added.values()))) if self.added else EMPTY_INDEX

    def __len__(self) -> int:
        """Returns the number of tracks that can be recommended."""
        return len(self.base) - len(self.removed) + len(self.added)

    @property
    def changes(self) -> int:
        """The number of tracks that were added, removed or replaced since ``base`` was built."""
        return len(self.added) + len(self.removed)

    def track_ids(self) -> list[str]:
        """Returns the ids of the tracks that can be recommended."""
        return [*(self.base_ids - self.removed), *self.added]

    def embeddings(self, track_ids: Sequence[str]) -> list[Vectors | None]:
        """Returns the embeddings [e] of these tracks, None for each that is not in this view."""
        base_vectors = self.base.vectors(track_ids)
        return [
            self.added.get(track_id, None if track_id in self.removed else vector)
            for track_id, vector in zip(track_ids, base_vectors, strict=True)
        ]

    def compacted(self) -> View:
        """Returns a view of the same tracks in one index; takes seconds for many tracks."""
        ids = sorted(self.track_ids())
        vectors = np.stack([vector for vector in self.embeddings(ids) if vector is not None])
        index = HnswIndex.build(ids, vectors, threads=1)
        return View(self.identity, self.revision, index, frozenset(ids), mark=self.mark, copies=self.copies)

    def search(self, query: Vectors, k: int, exclude: Collection[str] = ()) -> list[Neighbour]:
        """Returns the ``k`` nearest tracks; see ``VectorIndex``."""
        hidden = self.removed.union(exclude)
        return ranked([*self.base.search(query, k, hidden), *self.added_index.search(query, k, exclude)], k)

    def search_exactly(self, query: Vectors, k: int, exclude: Collection[str] = ()) -> list[Neighbour]:
        """Returns the ``k`` nearest tracks from a comparison with all of them."""
        hidden = self.removed.union(exclude)
        return ranked([*self.base.search_exactly(query, k, hidden), *self.added_index.search(query, k, exclude)], k)

    def is_exact(self, exclude: int) -> bool:
        """Returns whether a search that leaves out so many tracks compares all others anyway."""
        return not len(self.base) or self.base.comparisons(exclude + len(self.removed)) > 0

    def prepare(self) -> None:
        """Builds what the first search would have to wait for."""
        self.embeddings([""])
        _ = self.added_index

    def is_quick(self, k: int, exclude: int) -> bool:
        """Returns whether a search takes about a millisecond at most, in a view that is prepared.

        Args:
            k: number of tracks to find.
            exclude: number of tracks to leave out.
        """
        compared = len(self.added) + self.base.comparisons(exclude + len(self.removed))
        return k <= _QUICK_NEIGHBOURS and compared <= _QUICK_COMPARISONS

    def apply(self, events: Sequence[Event], store: TrackStore) -> View:
        """Returns the view after further events, at least one."""
        last_events = {event.track_id: event for event in events}
        new_ids = [track_id for track_id, event in last_events.items() if event.kind == "add"]
        new = {
            track_id: vector
            for track_id, vector in zip(new_ids, store.embeddings(new_ids), strict=True)
            if vector is not None  # a later event removes it again
        }
        unchanged = {track_id: vector for track_id, vector in self.added.items() if track_id not in last_events}
        removed = self.removed | (self.base_ids & last_events.keys())
        last = events[-1]
        return replace(self, revision=last.revision, mark=last.mark, removed=removed, added=unchanged | new)
