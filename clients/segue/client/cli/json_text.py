"""Messages and errors as JSON for programs: every number is a number, and a duration is a number of seconds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from segue.client.errors import SegueError

# protobuf's own mapping writes these as strings, for JavaScript.
_LARGE_INTEGERS = (FieldDescriptor.CPPTYPE_INT64, FieldDescriptor.CPPTYPE_UINT64)
_DURATION = "google.protobuf.Duration"
_STRUCT = "google.protobuf.Struct"


def message_dict(message: Message) -> dict[str, Any]:
    """Returns a message with the names of the contract, and with every field except unset messages."""
    values = MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
    return _with_numbers(values, message.DESCRIPTOR.fields_by_name)


def error_dict(error: SegueError) -> dict[str, Any]:
    """Returns the facts of an error."""
    facts = {
        "reason": error.reason,
        "message": error.message,
        "code": error.code.name,
        "metadata": error.metadata,
        "field": error.field,
        "retry_after": error.retry_after,
        "request_id": error.request_id,
    }
    return {"error": facts}


def _with_numbers(values: dict[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _to_number(value, fields[name]) for name, value in values.items()}


def _to_number(value: Any, field: FieldDescriptor) -> Any:  # noqa: ANN401 - any value of JSON
    if isinstance(value, list):
        return [_to_number(item, field) for item in value]
    if field.message_type is None:
        return int(value) if field.cpp_type in _LARGE_INTEGERS else value
    if field.message_type.full_name == _DURATION:
        return float(value.removesuffix("s"))
    if field.message_type.full_name == _STRUCT:
        return value
    return _with_numbers(value, field.message_type.fields_by_name)
