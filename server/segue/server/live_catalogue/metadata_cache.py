"""Cache of track metadata, for the time when the store does not answer."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from segue.core.catalogue.records import Track

# About 1 kB each.
MAX_TRACKS = 50_000


class MetadataCache:
    """The metadata of tracks as they were last read. Every method is thread-safe."""

    def __init__(self, max_tracks: int = MAX_TRACKS) -> None:
        """Creates an empty cache.

        Args:
            max_tracks: largest number of tracks; the one that was read longest ago is evicted first.
        """
        self._max_tracks = max_tracks
        self._tracks: dict[str, Track] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._tracks)

    def put(self, tracks: Iterable[Track]) -> None:
        """Stores tracks, without their posteriors, which no response contains."""
        with self._lock:
            for track in tracks:
                self._tracks.pop(track.track_id, None)
                self._tracks[track.track_id] = replace(track, posterior={})
            for oldest in list(self._tracks)[: max(0, len(self._tracks) - self._max_tracks)]:
                del self._tracks[oldest]

    def get(self, track_ids: Sequence[str]) -> list[Track | None]:
        """Returns the tracks with these ids, None for each that is not cached."""
        return [self._tracks.get(track_id) for track_id in track_ids]

    def retain(self, track_ids: Collection[str]) -> list[str]:
        """Evicts all other tracks, and returns the ids that are not cached and still fit."""
        evicted = set(self._tracks).difference(track_ids)
        missing = [track_id for track_id in track_ids if track_id not in self._tracks]
        with self._lock:
            for track_id in evicted:
                self._tracks.pop(track_id, None)
            return missing[: max(0, self._max_tracks - len(self._tracks))]
