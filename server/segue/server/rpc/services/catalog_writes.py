"""The calls that write the catalogue."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing

from segue.core.catalogue.external_ids import files_of
from segue.core.catalogue.own_metadata import MAX_EXTERNAL_ID
from segue.core.catalogue.records import PathRecord, Track
from segue.core.catalogue.store import TrackStore
from segue.core.catalogue.uploads import is_upload
from segue.core.errors import TrackNotFound
from segue.server.callers.caller import current_caller
from segue.server.components import ComponentsUser
from segue.server.rpc import converters
from segue.server.rpc.concurrency_limit import ConcurrencyLimit
from segue.server.rpc.error_status import item_status
from segue.server.rpc.handlers import Context
from segue.server.rpc.services import write_requests
from segue.server.rpc.streams import MAX_CONCURRENT_REQUESTS, MAX_STREAMS, audio_errors, map_concurrently, write_timeout
from segue.server.rpc.track_messages import track_message
from segue.server.writing.jobs import Change, Content, Sound, Upsert
from segue.server.writing.writes import MAX_JOBS
from segue.v1 import catalog_service_pb2, revision_pb2, track_pb2
from segue.v1.catalog_service_pb2 import (
    DeleteTracksRequest,
    DeleteTracksResponse,
    UpdateTrackRequest,
    UpdateTrackResponse,
    UpsertedTrack,
    UpsertTracksRequest,
    UpsertTracksResponse,
)

_CHANGES: dict[Change, catalog_service_pb2.UpsertChange.ValueType] = {
    "added": catalog_service_pb2.UPSERT_CHANGE_ADDED,
    "updated": catalog_service_pb2.UPSERT_CHANGE_UPDATED,
    "unchanged": catalog_service_pb2.UPSERT_CHANGE_UNCHANGED,
}


class CatalogWrites(ComponentsUser):
    """Writes the catalogue."""

    def __init__(self) -> None:
        self._upserts = ConcurrencyLimit(MAX_STREAMS, "streams of tracks are open")

    async def UpsertTracks(  # noqa: N802 - the contract's name
        self, request_iterator: AsyncIterator[UpsertTracksRequest], context: Context
    ) -> AsyncIterator[UpsertTracksResponse]:
        """Adds or changes many tracks, several of them at once."""
        self._components.writes.check_allowed()
        with self._upserts.acquire():
            results = map_concurrently(request_iterator, lambda item: self._upsert_item(item, context), _weight)
            async with aclosing(results) as responses:
                async for response in responses:
                    with write_timeout():
                        yield response

    async def _upsert_item(self, item: UpsertTracksRequest, context: Context) -> UpsertTracksResponse:
        try:
            current_caller().meter.count_call()
            track = await self._upsert(item, context)
        except Exception as error:  # noqa: BLE001 - an item fails alone, whatever the error is
            status = item_status(error, context)
            return UpsertTracksResponse(external_id=item.external_id[:MAX_EXTERNAL_ID], status=status)
        return UpsertTracksResponse(external_id=item.external_id, track=track)

    async def _upsert(self, item: UpsertTracksRequest, context: Context) -> UpsertedTrack:
        external_id, own = write_requests.external_id(item), write_requests.metadata(item)
        sound = await self._sound(item, external_id, context)
        written = await self._components.writes.write(Upsert(external_id, own, sound))
        change = _CHANGES[written.change]
        return UpsertedTrack(track_id=written.track_id, change=change, catalogue_revision=written.revision)

    async def _sound(self, item: UpsertTracksRequest, external_id: str, context: Context) -> Sound | None:
        """Returns the sound of an item, or None if it has none, or that which the catalogue has of this external id."""
        components = self._components
        if item.HasField("embedding"):
            embedding = write_requests.embedding(item.embedding, components.manifest)
            return Sound.of_embedding(external_id, embedding)
        if not item.HasField("audio"):
            return None
        with audio_errors("audio.content"):
            audio = converters.audio_bytes(item.audio, "audio", components.clip_bytes, "Index the file instead.")
            content = Content.of(audio)
            known = await components.readers.run(_file_with, components.catalogue.store, external_id)
            if known is not None and is_upload(known.path) and content.is_of(known):
                return None
            clip = await components.engine.analyze(audio, context.time_remaining(), identify=True)
        return await components.readers.run(Sound.of_clip, external_id, content, clip, components.manifest)

    async def UpdateTrack(  # noqa: N802 - the contract's name
        self, request: UpdateTrackRequest, context: Context
    ) -> UpdateTrackResponse:
        """Changes the metadata that the owner gives to a track."""
        self._components.writes.check_allowed()
        written = await self._components.writes.write(write_requests.update(request))
        track = await self._components.readers.run(read_track, self._components.catalogue.store, written.track_id)
        return UpdateTrackResponse(track=self._message(track), revision=self._revision_at_least(written.revision))

    async def DeleteTracks(  # noqa: N802 - the contract's name
        self, request: DeleteTracksRequest, context: Context
    ) -> DeleteTracksResponse:
        """Deletes tracks."""
        self._components.writes.check_allowed()
        written = await self._components.writes.write(write_requests.deletion(request))
        revision = self._revision_at_least(written.revision)
        return DeleteTracksResponse(missing_track_ids=written.missing, revision=revision)

    def _message(self, track: Track) -> track_pb2.Track:
        return track_message(track, self._components.manifest.tags)

    def _revision(self) -> revision_pb2.Revision:
        return converters.revision(self._components.model_id, *self._components.catalogue_state)

    def _revision_at_least(self, written: int) -> revision_pb2.Revision:
        """Returns the revision of a write, which the server's own view may not have yet."""
        revision = self._revision()
        revision.catalogue_revision = max(revision.catalogue_revision, written)
        return revision


def read_track(store: TrackStore, track_id: str) -> Track:
    """Returns a track.

    Raises:
        TrackNotFound: the store has none with this id.
    """
    (track,) = store.get([track_id])
    if track is None:
        raise TrackNotFound(track_id)
    return track


def _weight(item: UpsertTracksRequest) -> float:
    """Returns the weight of an item: as many without audio as fit in one turn at the lock may wait for it."""
    return 1.0 if item.HasField("audio") else MAX_CONCURRENT_REQUESTS / MAX_JOBS


def _file_with(store: TrackStore, external_id: str) -> PathRecord | None:
    return files_of([external_id], store)[0]
