"""Writes the tracks that callers send."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from segue.core.catalogue.external_ids import files_of
from segue.core.catalogue.own_metadata import MAX_EXTERNAL_ID
from segue.core.catalogue.records import PathRecord
from segue.core.catalogue.store import TrackStore
from segue.core.catalogue.uploads import is_upload
from segue.core.errors import TrackNotFound
from segue.server.callers.caller import current_caller
from segue.server.inference.bounded_executor import BoundedExecutor
from segue.server.inference.engine import Engine
from segue.server.live_catalogue.catalogue import LiveCatalogue
from segue.server.rpc import converters
from segue.server.rpc.error_status import item_status
from segue.server.rpc.handlers import Context
from segue.server.rpc.services import write_requests
from segue.server.rpc.streams import MAX_CONCURRENT_REQUESTS, audio_errors
from segue.server.writing.jobs import MAX_JOBS, Change, Content, Sound, Upsert, Writes
from segue.server.writing.sounds import sound_of_clip, sound_of_embedding
from segue.v1 import catalog_service_pb2
from segue.v1.catalog_service_pb2 import UpsertedTrack, UpsertTracksRequest, UpsertTracksResponse

_CHANGES: dict[Change, catalog_service_pb2.UpsertChange.ValueType] = {
    "added": catalog_service_pb2.UPSERT_CHANGE_ADDED,
    "updated": catalog_service_pb2.UPSERT_CHANGE_UPDATED,
    "unchanged": catalog_service_pb2.UPSERT_CHANGE_UNCHANGED,
}


class WriteParts(Protocol):
    """The parts of a server that write tracks; see ``Components``."""

    @property
    def engine(self) -> Engine:
        """Analyzes clips."""
        ...

    @property
    def catalogue(self) -> LiveCatalogue:
        """Has the records of known tracks."""
        ...

    @property
    def readers(self) -> BoundedExecutor:
        """Threads for what takes long."""
        ...

    @property
    def clip_bytes(self) -> int:
        """Largest clip in one message."""
        ...

    @property
    def writes(self) -> Writes:
        """Writes tracks."""
        ...


@dataclass(frozen=True)
class TrackUpserts:
    """Writes the items of one stream.

    Attributes:
        parts: analyze and write them.
        context: the call.
    """

    parts: WriteParts
    context: Context

    async def upsert(self, item: UpsertTracksRequest) -> UpsertTracksResponse:
        """Writes an item, and returns its track or its error; an item fails alone, whatever the error is."""
        try:
            current_caller().meter.count_call()
            track = await self._upsert(item)
        except Exception as error:  # noqa: BLE001 - likewise
            status = item_status(error, self.context)
            return UpsertTracksResponse(external_id=item.external_id[:MAX_EXTERNAL_ID], status=status)
        return UpsertTracksResponse(external_id=item.external_id, response=track)

    async def _upsert(self, item: UpsertTracksRequest) -> UpsertedTrack:
        external_id, own = write_requests.external_id(item), write_requests.metadata(item)
        sound = await self._sound(item, external_id)
        try:
            written = await self.parts.writes.write(Upsert(external_id, own, sound))
        except TrackNotFound:
            if not item.HasField("audio"):
                raise
            sound = await self._analyze(item, external_id)  # it was deleted after its content was compared
            written = await self.parts.writes.write(Upsert(external_id, own, sound))
        revision = converters.revision(self.parts.engine.model.manifest.model_id, written.revision, stale=False)
        return UpsertedTrack(track_id=written.track_id, change=_CHANGES[written.change], revision=revision)

    async def _sound(self, item: UpsertTracksRequest, external_id: str) -> Sound | None:
        """Returns the sound of an item, or None if it has none, or that which the catalogue has of this external id."""
        if item.HasField("embedding"):
            manifest = self.parts.engine.model.manifest
            return sound_of_embedding(external_id, converters.named_embedding(item.embedding, "embedding", manifest))
        if not item.HasField("audio"):
            return None
        content = Content.of(self._audio(item))
        known = await self.parts.readers.run(_file_with, self.parts.catalogue.store, external_id)
        if known is not None and is_upload(known.path) and content.is_of(known):
            return None
        return await self._analyze(item, external_id)

    async def _analyze(self, item: UpsertTracksRequest, external_id: str) -> Sound:
        """Returns the sound of the audio of an item."""
        audio, manifest = self._audio(item), self.parts.engine.model.manifest
        with audio_errors("audio.content"):
            clip = await self.parts.engine.analyze(audio, self.context.time_remaining(), identify=True)
        return await self.parts.readers.run(sound_of_clip, external_id, Content.of(audio), clip, manifest)

    def _audio(self, item: UpsertTracksRequest) -> bytes:
        with audio_errors("audio.content"):
            return converters.audio_bytes(item.audio, "audio", self.parts.clip_bytes, "Index the file instead.")


def upsert_weight(item: UpsertTracksRequest) -> float:
    """Returns the weight of an item: as many without audio as fit in one turn at the lock may wait for it."""
    return 1.0 if item.HasField("audio") else MAX_CONCURRENT_REQUESTS / MAX_JOBS


def _file_with(store: TrackStore, external_id: str) -> PathRecord | None:
    return files_of([external_id], store)[0]
