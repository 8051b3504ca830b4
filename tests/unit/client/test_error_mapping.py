from __future__ import annotations

import grpc
import pytest
from google.protobuf.any_pb2 import Any as Packed
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

from segue.client import (
    DeadlineExceededError,
    MessageTooLargeError,
    OverloadedError,
    SegueError,
    ServerError,
    ServerUnreachableError,
)
from segue.client._error_mapping import from_rpc_error


def failure(code: grpc.StatusCode, details: str | None = "", status: bytes | None = None) -> SegueError:
    """Maps the error that gRPC raises for a failed call."""
    trailers = grpc.aio.Metadata()
    if status is not None:
        trailers.add("grpc-status-details-bin", status)
    error = grpc.aio.AioRpcError(code, grpc.aio.Metadata(), trailers, details, "")
    return from_rpc_error(error, address="host:1", timeout=2.5)


def details(domain: str) -> bytes:
    """Serializes a status whose reason belongs to a domain."""
    envelope = Packed()
    envelope.Pack(ErrorInfo(reason="AUDIO_SILENT", domain=domain))
    packed: bytes = Status(message="Silent.", details=[envelope]).SerializeToString()
    return packed


@pytest.mark.parametrize(
    ("code", "text", "kind", "reason", "words"),
    [
        (grpc.StatusCode.UNAVAILABLE, "refused", ServerUnreachableError, "SERVER_UNREACHABLE", "start one there"),
        (grpc.StatusCode.DEADLINE_EXCEEDED, "", DeadlineExceededError, "DEADLINE_EXCEEDED", "within 2.5 s"),
        (
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "CLIENT: Received message larger than max (5 vs. 4)",
            MessageTooLargeError,
            "MESSAGE_TOO_LARGE",
            "send a shorter",
        ),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "Concurrent RPC limit", OverloadedError, "OVERLOADED", "try again later"),
        (
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "received metadata size exceeds hard limit (value length 30000 vs. 16384)",
            ServerError,
            "RESOURCE_EXHAUSTED",
            "metadata size exceeds",
        ),
        (grpc.StatusCode.UNIMPLEMENTED, "", ServerError, "UNIMPLEMENTED", "older Segue or not Segue"),
        (grpc.StatusCode.INTERNAL, None, ServerError, "INTERNAL", "INTERNAL: no details"),
        (grpc.StatusCode.CANCELLED, "gone", ServerError, "CANCELLED", "CANCELLED: gone"),
    ],
)
def test_without_details(
    code: grpc.StatusCode, text: str | None, kind: type[SegueError], reason: str, words: str
) -> None:
    """A failure without details has a message that says where it happened and what to do, and gRPC's own sentence."""
    error = failure(code, text)
    assert (kind, reason, code) == (type(error), error.reason, error.code)
    assert {"transport": text or ""} == error.metadata
    assert "host:1" in error.message
    assert words in error.message


@pytest.mark.parametrize("status", [b"\xff\xff", b"", details("elsewhere.example")], ids=["damaged", "empty", "other"])
def test_foreign_details(status: bytes) -> None:
    """Details that are damaged or of another domain count as none."""
    assert ServerUnreachableError is type(failure(grpc.StatusCode.UNAVAILABLE, "", status))


def test_damaged_detail() -> None:
    """A damaged detail does not hide the others."""
    damaged = Packed(type_url="type.googleapis.com/google.rpc.ErrorInfo", value=b"\xff")
    status = Status.FromString(details("segue.v1"))
    status.details.insert(0, damaged)
    assert "AUDIO_SILENT" == failure(grpc.StatusCode.INVALID_ARGUMENT, "", status.SerializeToString()).reason
