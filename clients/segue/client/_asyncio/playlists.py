"""The methods of the client for asyncio that find playlists."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from segue.client import _calls
from segue.client._asyncio.connection import Connection
from segue.client._calls import SeedSource
from segue.v1.recommendation_service_pb2 import ContinueResponse, FindPathResponse, TrackFilter, Variety


class PlaylistMethods(Connection):
    """Finds playlists."""

    async def continue_list(
        self,
        items: Iterable[SeedSource],
        *,
        half_life: float | None = None,
        limit: int | None = None,
        track_filter: TrackFilter | None = None,
        variety: Variety | None = None,
    ) -> ContinueResponse:
        """Finds the tracks to play after a list; see `Client.continue_list`."""
        # In a thread, which reads the files.
        return await self._send(
            await asyncio.to_thread(_calls.continue_list, items, half_life, limit, track_filter, variety)
        )

    async def find_path(
        self,
        start: SeedSource,
        end: SeedSource,
        *,
        length: int | None = None,
        track_filter: TrackFilter | None = None,
        variety: Variety | None = None,
    ) -> FindPathResponse:
        """Finds tracks that lead from one sound to another; see `Client.find_path`."""
        # In a thread, which reads the files.
        build = _calls.find_path
        return await self._send(await asyncio.to_thread(build, start, end, length, track_filter, variety))
