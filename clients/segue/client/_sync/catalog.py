"""The methods of the synchronous client that read and write the catalogue, and record what users do."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from datetime import datetime

from segue.client import _calls, _writes
from segue.client._calls import FeedbackAction
from segue.client._endpoint import Call
from segue.client._sync.connection import Connection
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

    def get_track(self, track: str | os.PathLike[str]) -> Track:
        """Returns a track of the catalogue.

        Args:
            track: the id of the track, as a str, or "external:" and its external id; or the path of one of its files on
                the indexer's machine, such as pathlib.Path, which is made absolute.
        """
        return self._send(_calls.get_track(track)).track

    def batch_get_tracks(self, track_ids: Iterable[str]) -> BatchGetTracksResponse:
        """Returns many tracks, in the order of their ids in the request, and the ids that no track has.

        Args:
            track_ids: the ids of the tracks, [1, 1000] of them.
        """
        return self._send(_calls.batch_get_tracks(track_ids))

    def list_tracks(self, *, page_size: int | None = None) -> Iterator[Track]:
        """Yields all tracks in the order of their ids, and fetches each page when it is reached.

        Args:
            page_size: number of tracks to fetch at once, [1, 1000]; None is the server's default (100).
        """
        call: Call[ListTracksRequest, ListTracksResponse] | None = _calls.list_tracks(page_size)
        while call:
            page = self._send(call)
            yield from page.tracks
            call = _calls.next_page(call, page)

    def search(self, query: str, *, page_size: int | None = None) -> Iterator[Track]:
        """Yields the tracks whose title, artist, album and path together contain every word of a query.

        The best matches come first: those whose title has all the words, then those that need the artist as well, then
        the album, then the path. Case and accents do not matter. Each page is fetched when it is reached.

        Args:
            query: words, separated by spaces, [1, 16] of them.
            page_size: number of tracks to fetch at once, [1, 1000]; None is the server's default (100).
        """
        for page in self.search_pages(query, page_size=page_size):
            yield from page.tracks

    def search_pages(self, query: str, *, page_size: int | None = None) -> Iterator[SearchTracksResponse]:
        """Yields the pages of a search, each with the number of all matches; see `search`."""
        call: Call[SearchTracksRequest, SearchTracksResponse] | None = _calls.search_tracks(query, page_size)
        while call:
            page = self._send(call)
            yield page
            call = _calls.next_matches(call, page)

    def status(self) -> GetStatusResponse:
        """Returns the model, the catalogue and the version of the server."""
        return self._send(_calls.status())

    def update_track(
        self,
        track_id: str,
        *,
        title: str | None = None,
        artist: str | None = None,
        album: str | None = None,
        attributes: Attributes | None = None,
    ) -> Track:
        """Changes some of the metadata that you gave to a track, and returns the track.

        Args:
            track_id: the id of the track, or "external:" and its external id.
            title: the new title; empty for that in the file's tags, None to keep it, here and below.
            artist: the new artist.
            album: the new album.
            attributes: all attributes, by name.
        """
        return self._send(_writes.update_track(track_id, title, artist, album, attributes)).track

    def delete_tracks(self, track_ids: Iterable[str]) -> DeleteTracksResponse:
        """Deletes tracks, and returns the ids that no track has; files on a disk are not touched.

        Args:
            track_ids: the ids of the tracks, or "external:" and their external ids, [1, 1000] of them.
        """
        return self._send(_writes.delete_tracks(track_ids))

    def record_feedback(
        self, user_id: str, track_id: str, kind: FeedbackAction, *, time: datetime | None = None
    ) -> RecordFeedbackResponse:
        """Records one action of a user. The same action within an hour is recorded once, so the call may be repeated.

        Args:
            user_id: a name of the user, [1, 128] characters; best a pseudonym, since it is stored as it is.
            track_id: the id of the track, or "external:" and its external id.
            kind: "played", "skipped", "liked" or "disliked".
            time: when the user did it, with a time zone; None is now. Give it where you may repeat the call.

        Raises:
            ValueError: the kind is unknown, or the time has no time zone.
        """
        return self._send(_calls.record_feedback(user_id, track_id, kind, time))
