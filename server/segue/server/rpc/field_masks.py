"""Which fields of an answer a caller wants, after the API improvement proposal 157."""

from __future__ import annotations

from typing import TypeVar

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from segue.core.errors import MalformedRequest
from segue.v1 import classification_service_pb2, recommendation_service_pb2

EVERYTHING = "*"
# What costs nothing more, neither to make nor to send.
_USUAL = {
    classification_service_pb2.ClassifyResponse: frozenset({"scores", "quality_flags"}),
    recommendation_service_pb2.RecommendResponse: frozenset({"recommendations", "quality_flags"}),
}
_ALWAYS = "revision"

Answer = TypeVar("Answer", bound=Message)


def requested_fields(mask: FieldMask, answer: type[Message], field: str = "read_mask") -> frozenset[str]:
    """The names of the wanted fields of an answer; no paths are the usual ones.

    Args:
        mask: what the caller sent.
        answer: the kind of answer.
        field: what the request calls the mask.

    Raises:
        MalformedRequest: a path is no field of the answer.
    """
    known = frozenset(answer.DESCRIPTOR.fields_by_name)
    if odd := sorted(set(mask.paths) - known - {EVERYTHING}):
        names = ", ".join(sorted(known))
        raise MalformedRequest(field, f"{field} has the path {odd[0][:64]!r}; the fields are {names}, and * is all.")
    if EVERYTHING in mask.paths:
        return known
    return frozenset(mask.paths) or _USUAL[answer]


def apply_mask(answer: Answer, fields: frozenset[str]) -> Answer:
    """Clears all fields of an answer that are not wanted, but never its revision; returns it."""
    for name in answer.DESCRIPTOR.fields_by_name:
        if name not in fields and name != _ALWAYS:
            answer.ClearField(name)
    return answer
