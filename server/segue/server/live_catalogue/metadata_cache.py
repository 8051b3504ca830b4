"""Cache of the metadata of tracks, encoded as callers get them."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

FRESH_SECONDS = 1.0
"""The usual ``fresh_seconds`` of a cache."""

# Of Python's objects for a track, in addition to its bytes. Measured: 120, and 80 for an id that the index may share.
_OVERHEAD_BYTES = 200
_USUAL_BYTES = 700


class _Entry(NamedTuple):
    """A cached track.

    Attributes:
        epoch: the epoch in which it was read.
        encoded: its metadata.
    """

    epoch: int
    encoded: bytes


class MetadataCache:
    """The metadata of tracks as they were last read. Every method is thread-safe.

    The cache is right as long as nothing was written since a track was read. So each look at the store says what was
    written last. If that is new, a new epoch begins, and what was read in earlier ones is not fresh. Without a look
    for ``fresh_seconds``, nothing is fresh.
    """

    def __init__(
        self, max_bytes: int, fresh_seconds: float = FRESH_SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Creates an empty cache.

        Args:
            max_bytes: largest memory of the cache; the track that was read longest ago is evicted first.
            fresh_seconds: time for which a cached track may be sent without another look at the store.
            clock: returns the time in seconds.
        """
        self._max_bytes = max_bytes
        self._fresh_seconds = fresh_seconds
        self._clock = clock
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._bytes = 0
        self._epoch = 0
        self._last_write: str | None = None
        self._fresh_until = 0.0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def used_bytes(self) -> int:
        """The memory of the cache in bytes, about."""
        return self._bytes

    @property
    def epoch(self) -> int:
        """The present epoch; to be read before the tracks that ``put`` gets."""
        return self._epoch

    def confirm(self, last_write: str | None, seen: float) -> bool:
        """Begins a new epoch if something was written, and returns whether it did.

        Args:
            last_write: text that differs after each write to the store, or None if that is unknown, as after a write.
            seen: the time before the store was asked for it.
        """
        with self._lock:
            is_new = last_write is None or last_write != self._last_write
            self._epoch += is_new
            self._last_write = last_write
            self._fresh_until = seen + self._fresh_seconds
        return is_new

    def put(self, epoch: int, tracks: Mapping[str, bytes | None]) -> None:
        """Stores tracks that were read in an epoch, by id, and drops those that are None."""
        with self._lock:
            for track_id, encoded in tracks.items():
                self._drop(track_id)
                if encoded is not None:
                    self._entries[track_id] = _Entry(epoch, encoded)
                    self._bytes += _OVERHEAD_BYTES + len(encoded)
            while self._bytes > self._max_bytes:
                self._count_off(self._entries.popitem(last=False)[1])

    def _drop(self, track_id: str) -> None:
        entry = self._entries.pop(track_id, None)
        if entry is not None:
            self._count_off(entry)

    def _count_off(self, entry: _Entry) -> None:
        self._bytes -= _OVERHEAD_BYTES + len(entry.encoded)

    def get(self, track_ids: Sequence[str]) -> list[bytes | None]:
        """Returns the tracks with these ids, however old, None for each that is not cached."""
        entries = map(self._entries.get, track_ids)
        return [entry and entry.encoded for entry in entries]

    def get_fresh(self, track_ids: Sequence[str]) -> list[bytes | None]:
        """Returns the tracks with these ids, None for each that is not cached or may have changed."""
        epoch, entries = self._epoch, self._entries
        if self._clock() > self._fresh_until:
            return [None] * len(track_ids)
        found = map(entries.get, track_ids)
        return [entry.encoded if entry is not None and entry.epoch == epoch else None for entry in found]

    def retain(self, track_ids: Collection[str]) -> list[str]:
        """Evicts all other tracks, and returns the ids that are not cached and still fit."""
        with self._lock:
            for track_id in set(self._entries).difference(track_ids):
                self._drop(track_id)
            missing = [track_id for track_id in track_ids if track_id not in self._entries]
            usual = self._bytes // len(self._entries) if self._entries else _USUAL_BYTES
            return missing[: max(0, (self._max_bytes - self._bytes) // usual)]

    def outdated(self) -> list[str]:
        """Returns the ids of the cached tracks that were read in an earlier epoch."""
        with self._lock:
            return [track_id for track_id, entry in self._entries.items() if entry.epoch != self._epoch]
