"""The methods of the client for asyncio that read and write the catalogue, and record what users do."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterable
from datetime import datetime

from segue.client import _calls, _writes
from segue.client._asyncio.connection import Connection
from segue.client._calls import FeedbackAction
from segue.client._endpoint import Call
from segue.client._writes import Attributes
from segue.v1.catalog_service_pb2 import (
    BatchGetTracksResponse,
    DeleteTracksResponse,
    GetStatusResponse,
    ListTracksRequest,
    ListTracksResponse,
    SearchTracksRequest,
    SearchTracksResponse,
)
from segue.v1.feedback_service_pb2 import RecordFeedbackResponse
from segue.v1.track_pb2 import Track


class CatalogMethods(Connection):
    """Reads and writes the catalogue, and records what users do with its tracks."""

    async def get_track(self, track: str | os.PathLike[str]) -> Track:
        """Returns a track of the catalogue, by its id or path; see `Client.get_track`."""
        return (await self._send(_calls.get_track(track))).track

    async def batch_get_tracks(self, track_ids: Iterable[str]) -> BatchGetTracksResponse:
        """Returns many tracks; see `Client.batch_get_tracks`."""
        return await self._send(_calls.batch_get_tracks(track_ids))

    async def list_tracks(self, *, page_size: int | None = None) -> AsyncIterator[Track]:
        """Yields all tracks in the order of their ids; see `Client.list_tracks`."""
        call: Call[ListTracksRequest, ListTracksResponse] | None = _calls.list_tracks(page_size)
        while call:
            page = await self._send(call)
            for track in page.tracks:
                yield track
            call = _calls.next_page(call, page)

    async def search(self, query: str, *, page_size: int | None = None) -> AsyncIterator[Track]:
        """Yields the tracks that contain every word of a query; see `Client.search`."""
        async for page in self.search_pages(query, page_size=page_size):
            for track in page.tracks:
                yield track

    async def search_pages(self, query: str, *, page_size: int | None = None) -> AsyncIterator[SearchTracksResponse]:
        """Yields the pages of a search; see `Client.search_pages`."""
        call: Call[SearchTracksRequest, SearchTracksResponse] | None = _calls.search_tracks(query, page_size)
        while call:
            page = await self._send(call)
            yield page
            call = _calls.next_matches(call, page)

    async def status(self) -> GetStatusResponse:
        """Returns the model, the catalogue and the version of the server."""
        return await self._send(_calls.status())

    async def update_track(
        self,
        track_id: str,
        *,
        title: str | None = None,
        artist: str | None = None,
        album: str | None = None,
        attributes: Attributes | None = None,
    ) -> Track:
        """Changes some of the metadata that you gave to a track; see `Client.update_track`."""
        return (await self._send(_writes.update_track(track_id, title, artist, album, attributes))).track

    async def delete_tracks(self, track_ids: Iterable[str]) -> DeleteTracksResponse:
        """Deletes tracks; see `Client.delete_tracks`."""
        return await self._send(_writes.delete_tracks(track_ids))

    async def record_feedback(
        self, user_id: str, track_id: str, kind: FeedbackAction, *, time: datetime | None = None
    ) -> RecordFeedbackResponse:
        """Records one action of a user; see `Client.record_feedback`."""
        return await self._send(_calls.record_feedback(user_id, track_id, kind, time))
