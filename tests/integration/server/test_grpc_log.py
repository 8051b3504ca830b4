"""The log of gRPC about callers, against the installed library."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from importlib.metadata import version

import grpc
import pytest

from segue.server.observability.log_setup import is_worth_logging
from tests.helpers.machine.waiting import PATIENCE_SECONDS
from tests.helpers.server import http2

GRPC_LOGGER = "grpc._cython.cygrpc"


async def write_on(requests: AsyncIterator[bytes], _context: object) -> AsyncIterator[bytes]:
    """Responds to the first message with more than a connection can buffer."""
    async for _ in requests:
        for _ in range(1_000):
            yield bytes(2**16)


async def test_errors_of_callers(caplog: pytest.LogCaptureFixture) -> None:
    """The exceptions that gRPC logs for metadata that is not UTF-8, and for a caller who hangs up, are recognized."""
    server = grpc.aio.server()
    method = grpc.stream_stream_rpc_method_handler(write_on)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Calls", {"Write": method}),))
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    with caplog.at_level(logging.ERROR, GRPC_LOGGER):
        async with asyncio.timeout(PATIENCE_SECONDS):
            while {"UnicodeDecodeError", "ExecuteBatchError"} != logged_errors(caplog.records):
                await asyncio.to_thread(call_and_hang_up, address)
    await server.stop(0)
    others = [record.getMessage() for record in caplog.records if is_worth_logging(record)]
    assert [] == others, f"grpcio {version('grpcio')} logs these as well"


def call_and_hang_up(address: str) -> None:
    """Calls with metadata that is not UTF-8, and closes the connection after the first bytes of the response."""
    with http2.connection(address) as connection:
        connection.sendall(http2.call("/test.Calls/Write", b"audio", {b"x-name": b"\xff\xfe"}))
        connection.recv(100)


def logged_errors(records: list[logging.LogRecord]) -> set[str]:
    """The types of the exceptions in the log of gRPC."""
    errors = [record.exc_info[1] for record in records if record.name == GRPC_LOGGER and record.exc_info]
    return {type(error).__name__ for error in errors}
