"""What is known of tracks, kept in memory for the time when the store does not answer."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from segue.core.catalogue.records import Track

# About 1 kB each.
MAX_TRACKS = 50_000


class MetadataCache:
    """The metadata of tracks as it was last read. Every method may be called from any thread."""

    def __init__(self, max_tracks: int = MAX_TRACKS) -> None:
        """Takes how many tracks are kept; whoever was read longest ago goes first."""
        self._max_tracks = max_tracks
        self._tracks: dict[str, Track] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._tracks)

    def put(self, tracks: Iterable[Track]) -> None:
        """Remembers tracks, without their posteriors, which no answer holds."""
        with self._lock:
            for track in tracks:
                self._tracks.pop(track.track_id, None)
                self._tracks[track.track_id] = replace(track, posterior={})
            for oldest in list(self._tracks)[: max(0, len(self._tracks) - self._max_tracks)]:
                del self._tracks[oldest]

    def get(self, track_ids: Sequence[str]) -> list[Track | None]:
        """The tracks with these ids, None for each that is not remembered."""
        return [self._tracks.get(track_id) for track_id in track_ids]

    def missing(self, track_ids: Collection[str]) -> list[str]:
        """Forgets all but these tracks, and answers those that are not remembered and still find room."""
        gone = set(self._tracks).difference(track_ids)
        unknown = [track_id for track_id in track_ids if track_id not in self._tracks]
        with self._lock:
            for track_id in gone:
                self._tracks.pop(track_id, None)
            return unknown[: max(0, self._max_tracks - len(self._tracks))]
