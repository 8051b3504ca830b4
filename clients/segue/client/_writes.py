"""The calls that write the catalogue, built once for both kinds of client."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.struct_pb2 import Struct

from segue.client._audio import AudioSource, audio_message
from segue.client._endpoint import Call
from segue.v1.catalog_service_pb2 import (
    DeleteTracksRequest,
    DeleteTracksResponse,
    OwnMetadata,
    TrackEmbedding,
    UpdateTrackRequest,
    UpdateTrackResponse,
    UpsertTracksRequest,
)

Attributes: TypeAlias = Mapping[str, str | float | bool | list[str]]
"""Values by name: texts, numbers, truth values and lists of texts."""


def track_item(
    external_id: str,
    audio: AudioSource | None = None,
    *,
    embedding: TrackEmbedding | None = None,
    title: str = "",
    artist: str = "",
    album: str = "",
    attributes: Attributes | None = None,
) -> UpsertTracksRequest:
    """Returns an item for `Client.upsert_tracks`.

    Without any metadata, a known track keeps those that it has; with some, the others are emptied.

    Args:
        external_id: the id of the track in your own system, [1, 256] characters.
        audio: the bytes of a whole audio file, its path, or an open file, of up to 16 MiB; None for a track that is
            known, or has an embedding.
        embedding: the embedding of the track, with its model, in place of its audio.
        title: its title.
        artist: its artist.
        album: its album.
        attributes: values by name, [0, 32] of them.

    Raises:
        AudioTooLongError: the audio has more than 16 MiB.
        AudioUnreadableError: the file cannot be read.
        ValueError: there are both audio and an embedding, or an attribute has a value of another type.
    """
    if audio is not None and embedding is not None:
        raise ValueError("a track has audio or an embedding, not both")
    return UpsertTracksRequest(
        external_id=external_id,
        audio=None if audio is None else audio_message(audio),
        embedding=embedding,
        metadata=_metadata(title, artist, album, attributes),
    )


def update_track(
    track_id: str, title: str | None, artist: str | None, album: str | None, attributes: Attributes | None
) -> Call[UpdateTrackRequest, UpdateTrackResponse]:
    """Builds an UpdateTrack call; None leaves a part as it is."""
    parts = {"title": title, "artist": artist, "album": album, "attributes": attributes}
    request = UpdateTrackRequest(
        track_id=track_id,
        metadata=_metadata(title or "", artist or "", album or "", attributes),
        update_mask=FieldMask(paths=[name for name, value in parts.items() if value is not None]),
    )
    return Call(lambda stubs: stubs.catalog.UpdateTrack, request)


def delete_tracks(track_ids: Iterable[str]) -> Call[DeleteTracksRequest, DeleteTracksResponse]:
    """Builds a DeleteTracks call.

    Raises:
        TypeError: the ids are one string, whose letters would become ids.
    """
    if isinstance(track_ids, str):
        raise TypeError(f"track_ids is a list of ids such as [{track_ids!r}], not a str")
    request = DeleteTracksRequest(track_ids=track_ids)
    return Call(lambda stubs: stubs.catalog.DeleteTracks, request)


def _metadata(title: str, artist: str, album: str, attributes: Attributes | None) -> OwnMetadata | None:
    if not (title or artist or album or attributes):
        return None
    values = Struct()
    values.update(dict(attributes or {}))
    return OwnMetadata(title=title, artist=artist, album=album, attributes=values if attributes else None)
