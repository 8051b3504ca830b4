"""Behaviours of a peer at the start of a call."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeAlias

import grpc
from google.protobuf.any_pb2 import Any as Packed
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

from tests.helpers.machine.waiting import PATIENCE_SECONDS

Behaviour: TypeAlias = Callable[[grpc.ServicerContext], None]


def fails(code: grpc.StatusCode, message: str = "", *details: Message, **trailers: str) -> Behaviour:
    """Fails a call in the way of Segue's server, with the details if there are any."""

    def behave(context: grpc.ServicerContext) -> None:
        metadata: list[tuple[str, str | bytes]] = [(key.replace("_", "-"), value) for key, value in trailers.items()]
        if details:
            status = Status(code=code.value[0], message=message, details=[packed(detail) for detail in details])
            metadata.append(("grpc-status-details-bin", status.SerializeToString()))
        context.set_trailing_metadata(tuple(metadata))
        context.abort(code, message)

    return behave


def packed(detail: Message) -> Packed:
    """Packs one detail of a failure into Any."""
    envelope = Packed()
    envelope.Pack(detail)
    return envelope


def info(reason: str, **metadata: str) -> ErrorInfo:
    """Makes the detail that has a reason of the contract."""
    return ErrorInfo(reason=reason, domain="segue.v1", metadata=metadata)


def hangs(context: grpc.ServicerContext) -> None:
    """Blocks a call until the caller cancels it."""
    while context.is_active():
        time.sleep(0.01)


def meets(calls: int) -> Behaviour:
    """Blocks calls until that many run at once; they fail if that takes too long."""
    barrier = threading.Barrier(calls, timeout=PATIENCE_SECONDS)

    def behave(_: grpc.ServicerContext) -> None:
        barrier.wait()

    return behave
