"""The methods of the synchronous client that find playlists."""

from __future__ import annotations

from collections.abc import Iterable

from segue.client import _calls
from segue.client._calls import SeedSource
from segue.client._sync.connection import Connection
from segue.v1.recommendation_service_pb2 import ContinueResponse, FindPathResponse, TrackFilter, Variety


class PlaylistMethods(Connection):
    """Finds playlists."""

    def continue_list(
        self,
        items: Iterable[SeedSource],
        *,
        half_life: float | None = None,
        limit: int | None = None,
        track_filter: TrackFilter | None = None,
        variety: Variety | None = None,
    ) -> ContinueResponse:
        """Finds the tracks to play after a list.

        Args:
            items: the items of the list, [1, 100] of them, the one that was played last at the end: each the id of a
                track, as a str; or a clip of up to 16 MiB, as for `classify`; or a `segue.v1` Seed message.
            half_life: number of items after which the weight of an item is halved, [0.1, 1000]; None is the server's
                default (5).
            limit: number of tracks to find, [1, 100]; None is the server's default (25).
            track_filter: the tracks that may be found; None is all.
            variety: how much the tracks differ; None is the server's default (at most two tracks by one artist).
        """
        return self._send(_calls.continue_list(items, half_life, limit, track_filter, variety))

    def find_path(
        self,
        start: SeedSource,
        end: SeedSource,
        *,
        length: int | None = None,
        track_filter: TrackFilter | None = None,
        variety: Variety | None = None,
    ) -> FindPathResponse:
        """Finds tracks that lead in small steps from one sound to another.

        Args:
            start: where the path starts, as an item of `continue_list`.
            end: where it ends, likewise. Ends that are tracks of the catalogue are a part of the path.
            length: number of tracks, [3, 100]; None is the server's default (25).
            track_filter: the tracks that may be between the ends; None is all.
            variety: how much the tracks differ; None is the server's default (at most two tracks by one artist).
        """
        return self._send(_calls.find_path(start, end, length, track_filter, variety))
