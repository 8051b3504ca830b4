"""Checks of the requests that write the catalogue."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.struct_pb2 import Struct, Value

from segue.core.catalogue.own_metadata import parse_metadata
from segue.core.catalogue.records import OwnMetadata
from segue.core.errors import MalformedRequest
from segue.server.rpc import catalogue_requests
from segue.server.writing.jobs import Deletion, Update
from segue.v1 import catalog_service_pb2

_PARTS = tuple(catalog_service_pb2.OwnMetadata.DESCRIPTOR.fields_by_name)


def external_id(request: catalog_service_pb2.UpsertTracksRequest) -> str:
    """Returns the external id of an item.

    Raises:
        MalformedRequest: it is empty or too long, or has characters that no id may have.
    """
    if not request.external_id:
        raise MalformedRequest("external_id", "external_id is empty; send the track's id in your own system.")
    return _parsed({"external_id": request.external_id}, "external_id").external_id


def metadata(request: catalog_service_pb2.UpsertTracksRequest) -> OwnMetadata | None:
    """Returns the metadata of an item, or None if it has none.

    Raises:
        MalformedRequest: a part of them is over its bound, or has a value that cannot be kept.
    """
    return own_metadata(request.metadata) if request.HasField("metadata") else None


def own_metadata(message: catalog_service_pb2.OwnMetadata) -> OwnMetadata:
    """Returns metadata without an external id.

    Raises:
        MalformedRequest: a part of them is over its bound, or has a value that cannot be kept.
    """
    texts = {"title": message.title, "artist": message.artist, "album": message.album}
    return _parsed({**texts, "attributes": _values(message.attributes)}, "metadata")


def update(request: catalog_service_pb2.UpdateTrackRequest) -> Update:
    """Returns the change of a track's metadata.

    Raises:
        MalformedRequest: there is no id or nothing to change, or the mask or the metadata cannot be used.
    """
    track_id = catalogue_requests.track_id(request.track_id)
    parts, new = _changed_parts(request.update_mask, request.metadata), own_metadata(request.metadata)
    return Update(track_id, _change(parts, new))


def deletion(request: catalog_service_pb2.DeleteTracksRequest) -> Deletion:
    """Returns the tracks to delete.

    Raises:
        MalformedRequest: there is no id, an empty one, or more than 1000.
    """
    return Deletion(tuple(catalogue_requests.batch_ids(request)))


def _changed_parts(mask: FieldMask, new: catalog_service_pb2.OwnMetadata) -> frozenset[str]:
    if unknown := sorted(set(mask.paths).difference(_PARTS)):
        text = f"update_mask has the path {unknown[0][:64]!r}; use {', '.join(_PARTS)}."
        raise MalformedRequest("update_mask", text)
    parts = frozenset(mask.paths) or frozenset(field.name for field, _ in new.ListFields())
    if not parts:
        raise MalformedRequest(
            "metadata", "There is nothing to change: set a part of metadata, or name one in update_mask."
        )
    return parts


def _change(parts: frozenset[str], new: OwnMetadata) -> Callable[[OwnMetadata], OwnMetadata]:
    values = {part: getattr(new, part) for part in parts}
    return lambda own: replace(own, **values)


def _parsed(values: dict[str, object], field: str) -> OwnMetadata:
    try:
        return parse_metadata(values)
    except ValueError as error:
        raise MalformedRequest(field, str(error)) from None


def _values(attributes: Struct) -> dict[str, object]:
    return {name: _value(value) for name, value in attributes.fields.items()}


def _value(value: Value) -> object:
    """Returns the value as JSON has it; None for null, and for a value that is not set."""
    match value.WhichOneof("kind"):
        case "string_value":
            return value.string_value
        case "number_value":
            return value.number_value
        case "bool_value":
            return value.bool_value
        case "list_value":
            return [_value(each) for each in value.list_value.values]
        case "struct_value":
            return _values(value.struct_value)
    return None
