"""The service that reads and writes the catalogue."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing

from segue.core.catalogue.records import Track
from segue.core.catalogue.store import TrackStore
from segue.core.errors import SegueError, TrackNotFound
from segue.core.settings.version import VERSION
from segue.server.components import ComponentsUser
from segue.server.rpc import catalogue_requests, converters
from segue.server.rpc.concurrency_limit import ConcurrencyLimit
from segue.server.rpc.error_status import public_message
from segue.server.rpc.handlers import Context
from segue.server.rpc.services import write_requests
from segue.server.rpc.services.catalog_writes import TrackUpserts, upsert_weight
from segue.server.rpc.services.track_ids import resolve_external_ids
from segue.server.rpc.streams import MAX_STREAMS, map_concurrently, write_timeout
from segue.server.rpc.track_messages import track_message
from segue.v1 import catalog_service_pb2, catalog_service_pb2_grpc, revision_pb2, track_pb2
from segue.v1.catalog_service_pb2 import UpsertTracksRequest, UpsertTracksResponse


class CatalogService(ComponentsUser, catalog_service_pb2_grpc.CatalogServiceServicer):
    """Reads and writes the catalogue, and reads the state of the server."""

    def __init__(self) -> None:
        self._upserts = ConcurrencyLimit(MAX_STREAMS, "streams of tracks are open")

    async def GetTrack(  # noqa: N802 - the contract's name
        self, request: catalog_service_pb2.GetTrackRequest, context: Context
    ) -> catalog_service_pb2.GetTrackResponse:
        """Returns a track."""
        store = self._components.catalogue.store
        await resolve_external_ids(request, self._components.catalogue, self._components.readers)
        if path := catalogue_requests.track_path(request):
            track = await self._components.readers.run(_read_track_of_file, store, path)
        else:
            track_id = catalogue_requests.track_id(request.track_id)
            track = await self._components.readers.run(_read_track, store, track_id)
        return catalog_service_pb2.GetTrackResponse(track=self._message(track), revision=self._revision())

    async def BatchGetTracks(  # noqa: N802 - the contract's name
        self, request: catalog_service_pb2.BatchGetTracksRequest, context: Context
    ) -> catalog_service_pb2.BatchGetTracksResponse:
        """Returns many tracks, and names those that do not exist."""
        requested = catalogue_requests.batch_ids(request)
        await resolve_external_ids(request, self._components.catalogue, self._components.readers)
        tracks = await self._components.readers.run(self._components.catalogue.store.get, list(request.track_ids))
        return catalog_service_pb2.BatchGetTracksResponse(
            tracks=[self._message(track) for track in tracks if track is not None],
            missing_track_ids=[each for each, track in zip(requested, tracks, strict=True) if track is None],
            revision=self._revision(),
        )

    async def SearchTracks(  # noqa: N802 - the contract's name
        self, request: catalog_service_pb2.SearchTracksRequest, context: Context
    ) -> catalog_service_pb2.SearchTracksResponse:
        """Returns a page of the tracks whose texts contain every word."""
        search = catalogue_requests.search(request)
        found = await self._components.searchers.run(self._components.search.search, *search)
        return catalog_service_pb2.SearchTracksResponse(
            tracks=[self._message(track) for track in found.tracks],
            next_page_token=catalogue_requests.match_token(found.last),
            revision=self._revision(),
            match_count=found.total,
        )

    async def ListTracks(  # noqa: N802 - the contract's name
        self, request: catalog_service_pb2.ListTracksRequest, context: Context
    ) -> catalog_service_pb2.ListTracksResponse:
        """Returns a page of the tracks in the order of their ids."""
        page = catalogue_requests.page(request)
        ids, tracks = await self._components.readers.run(_read_page, self._components.catalogue.store, page)
        return catalog_service_pb2.ListTracksResponse(
            tracks=[self._message(track) for track in tracks],
            next_page_token=catalogue_requests.page_token(ids[-1]) if len(ids) == page.size else "",
            revision=self._revision(),
        )

    async def GetStatus(  # noqa: N802 - the contract's name
        self, request: catalog_service_pb2.GetStatusRequest, context: Context
    ) -> catalog_service_pb2.GetStatusResponse:
        """Returns the model and the state of the catalogue."""
        return catalog_service_pb2.GetStatusResponse(
            revision=self._revision(),
            track_count=len(self._components.catalogue.view),
            genres=sorted(self._components.manifest.labels),
            server_version=VERSION,
            catalogue_problem=self._catalogue_problem(),
        )

    async def UpsertTracks(  # noqa: N802 - the contract's name
        self, request_iterator: AsyncIterator[UpsertTracksRequest], context: Context
    ) -> AsyncIterator[UpsertTracksResponse]:
        """Adds or changes many tracks, several of them at once."""
        self._components.writes.check_allowed()
        with self._upserts.acquire():
            tracks = TrackUpserts(self._components, context)
            async with aclosing(map_concurrently(request_iterator, tracks.upsert, upsert_weight)) as responses:
                async for response in responses:
                    with write_timeout():
                        yield response

    async def UpdateTrack(  # noqa: N802 - the contract's name
        self, request: catalog_service_pb2.UpdateTrackRequest, context: Context
    ) -> catalog_service_pb2.UpdateTrackResponse:
        """Changes the metadata that the owner gives to a track."""
        self._components.writes.check_allowed()
        written = await self._components.writes.write(write_requests.update(request))
        store = self._components.catalogue.store
        track = await self._components.readers.run(_read_track, store, written.track_id)
        revision = self._revision_at_least(written.revision)
        return catalog_service_pb2.UpdateTrackResponse(track=self._message(track), revision=revision)

    async def DeleteTracks(  # noqa: N802 - the contract's name
        self, request: catalog_service_pb2.DeleteTracksRequest, context: Context
    ) -> catalog_service_pb2.DeleteTracksResponse:
        """Deletes tracks."""
        self._components.writes.check_allowed()
        written = await self._components.writes.write(write_requests.deletion(request))
        revision = self._revision_at_least(written.revision)
        return catalog_service_pb2.DeleteTracksResponse(missing_track_ids=written.missing, revision=revision)

    def _message(self, track: Track) -> track_pb2.Track:
        return track_message(track, self._components.manifest.tags)

    def _revision(self) -> revision_pb2.Revision:
        return converters.revision(self._components.model_id, *self._components.catalogue_state)

    def _revision_at_least(self, written: int) -> revision_pb2.Revision:
        """Returns the revision of a write, which the server's own view may not have yet."""
        revision = self._revision()
        revision.catalogue_revision = max(revision.catalogue_revision, written)
        return revision

    def _catalogue_problem(self) -> str:
        """Returns the reason why the catalogue cannot be searched or read, for any caller, or ""."""
        try:
            self._components.catalogue.searchable_view()
        except SegueError as error:
            return public_message(error)
        problem = self._components.catalogue.problem
        return public_message(problem) if problem else ""


def _read_track(store: TrackStore, track_id: str) -> Track:
    (track,) = store.get([track_id])
    if track is None:
        raise TrackNotFound(track_id)
    return track


def _read_track_of_file(store: TrackStore, path: str) -> Track:
    (file,) = store.files([path])
    (track,) = store.get([file.track_id]) if file else [None]
    if track is None:
        raise TrackNotFound(path, kind="file")
    return track


def _read_page(store: TrackStore, page: catalogue_requests.Page) -> tuple[Sequence[str], list[Track]]:
    ids = store.track_ids(page.after, page.size)
    return ids, [track for track in store.get(ids) if track is not None]
