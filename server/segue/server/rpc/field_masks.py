"""Read masks: the fields of a response that a caller requests (API improvement proposal 157)."""

from __future__ import annotations

from functools import lru_cache
from typing import TypeVar

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from segue.core.errors import MalformedRequest
from segue.v1 import classification_service_pb2, recommendation_service_pb2

ALL_FIELDS = "*"
# The fields that cost nothing extra to compute or to send.
_DEFAULT_FIELDS = {
    classification_service_pb2.ClassifyResponse: frozenset(
        {"scores", "quality_flags", "missing_seconds", "genre_unknown"}
    ),
    recommendation_service_pb2.RecommendResponse: frozenset({"recommendations", "quality_flags", "missing_seconds"}),
}
_ALWAYS = frozenset({"revision", "emptied_by", "limited"})

Response = TypeVar("Response", bound=Message)


def requested_fields(mask: FieldMask, response: type[Message], name: str = "read_mask") -> frozenset[str]:
    """Returns the names of the requested fields; a mask without paths requests the default ones.

    Args:
        mask: the mask of the request.
        response: type of the response.
        name: name of the mask in the request.

    Raises:
        MalformedRequest: a path is no field of the response.
    """
    # A mask may have a path many times, and the cache keeps what it is called with.
    return _requested_fields(frozenset(mask.paths), response, name)  # type: ignore[arg-type] # a class has a hash


@lru_cache(maxsize=256)  # callers use few masks
def _requested_fields(paths: frozenset[str], response: type[Message], name: str) -> frozenset[str]:
    known = frozenset(response.DESCRIPTOR.fields_by_name)
    if unknown := sorted(paths - known - {ALL_FIELDS}):
        names = ", ".join(sorted(known))
        raise MalformedRequest(name, f"{name} has the path {unknown[0][:64]!r}; use {names}, or * for all fields.")
    if ALL_FIELDS in paths:
        return known
    return paths or _DEFAULT_FIELDS[response]


def apply_mask(response: Response, fields: frozenset[str]) -> Response:
    """Clears the fields that were not requested, except those that are always returned, and returns the response."""
    for field, _ in response.ListFields():
        if field.name not in fields and field.name not in _ALWAYS:
            response.ClearField(field.name)
    return response
