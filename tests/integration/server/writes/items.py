"""Items that callers send to the catalogue."""

from __future__ import annotations

from collections.abc import Iterable

from google.protobuf.json_format import ParseDict
from google.protobuf.struct_pb2 import Struct

from segue.v1.audio_pb2 import Audio
from segue.v1.catalog_service_pb2 import OwnMetadata, TrackEmbedding, UpsertTracksRequest, UpsertTracksResponse
from tests.helpers.catalogue.tracks import embedding as invented
from tests.helpers.clips import wav
from tests.helpers.server.stubs import Stubs

WIDTH = 128


def attributes(**values: object) -> Struct:
    """Returns attributes as a message."""
    return ParseDict(values, Struct())


def clip(external_id: str, seconds: float = 4.0, **metadata: object) -> UpsertTracksRequest:
    """Returns an item with the bytes of a clip, whose audio depends on its duration alone."""
    own = OwnMetadata(**metadata) if metadata else None  # type: ignore[arg-type]
    return UpsertTracksRequest(external_id=external_id, audio=Audio(content=wav(seconds)), metadata=own)


def vector(external_id: str, stubs: Stubs, number: int, **metadata: object) -> UpsertTracksRequest:
    """Returns an item with the embedding of an invented track."""
    embedding = TrackEmbedding(values=invented(number, WIDTH), model_id=stubs.status().revision.model_id)
    return UpsertTracksRequest(external_id=external_id, embedding=embedding, metadata=OwnMetadata(**metadata))  # type: ignore[arg-type]


def upserted(stubs: Stubs, *items: UpsertTracksRequest) -> dict[str, UpsertTracksResponse]:
    """Sends items, and returns the responses by external id."""
    return {response.external_id: response for response in stubs.upsert_tracks(items)}


def changes(responses: Iterable[UpsertTracksResponse]) -> list[int]:
    """Returns what was changed, in the order of the external ids."""
    return [response.response.change for response in sorted(responses, key=lambda response: response.external_id)]
