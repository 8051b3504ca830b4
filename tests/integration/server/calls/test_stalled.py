"""Callers of streams who stop sending, or stop reading."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import grpc
import pytest

from segue.server.callers.receive_budget import ReceiveBudget
from segue.server.interceptors.error_status import ErrorStatusInterceptor
from segue.server.interceptors.receiving import Reading, ReceivingInterceptor
from segue.server.rpc.handlers import Handler
from segue.server.rpc.streams import with_idle_timeout, write_timeout
from tests.helpers.machine.waiting import PATIENCE_SECONDS

METHOD = "/test.Streams/Echo"
Interceptor: TypeAlias = "grpc.aio.ServerInterceptor[Any, Any]"


@asynccontextmanager
async def served(method: Handler, *interceptors: Interceptor) -> AsyncIterator[Callable[[], Any]]:
    """A function that opens a stream to a server with one method."""
    server = grpc.aio.server(interceptors=[ErrorStatusInterceptor(), *interceptors])
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Streams", {"Echo": method}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        opening: Any = channel.stream_stream
        yield opening(METHOD)
    await server.stop(None)


def echoing(ended: asyncio.Event, *, idle_seconds: float = 30.0, write_seconds: float = 30.0) -> Handler:
    """A method that sends a megabyte for each message, and sets an event at the end of a call."""

    async def echo(requests: AsyncIterator[bytes], _context: object) -> AsyncIterator[bytes]:
        try:
            async for _ in with_idle_timeout(requests, idle_seconds):
                with write_timeout(write_seconds):
                    yield bytes(2**20)
        finally:
            ended.set()

    return grpc.stream_stream_rpc_method_handler(echo)


async def test_a_caller_who_sends_nothing() -> None:
    """A stream on which no message arrives ends with a reason of its own."""
    ended = asyncio.Event()
    async with served(echoing(ended, idle_seconds=2.0)) as open_stream:
        call = open_stream()
        await call.write(b"one")
        assert 2**20 == len(await call.read())
        with pytest.raises(grpc.aio.AioRpcError, match="No message arrived for 2 s") as error:
            await call.read()
        assert grpc.StatusCode.DEADLINE_EXCEEDED is error.value.code()
        trailers: Any = error.value.trailing_metadata()
        assert b"STREAM_STALLED" in dict(trailers)["grpc-status-details-bin"]
        assert ended.is_set()


async def test_a_caller_who_does_not_read() -> None:
    """A stream whose responses are not read ends even while its caller sends, and the next one works."""
    ended = asyncio.Event()
    async with served(echoing(ended, write_seconds=2.0)) as open_stream:
        call = open_stream()
        writing = asyncio.create_task(_write_on(call))
        await asyncio.wait_for(ended.wait(), PATIENCE_SECONDS)
        writing.cancel()
        other = open_stream()
        await other.write(b"one")
        assert 2**20 == len(await other.read())


async def _write_on(call: Any) -> None:  # noqa: ANN401 - a stream
    while True:
        await call.write(b"more")
        await asyncio.sleep(0.01)


async def test_a_message_that_never_arrives() -> None:
    """A unary call whose message does not arrive in time is ended."""

    async def respond(_request: bytes, _context: object) -> bytes:
        raise AssertionError("there is no message")

    method = grpc.unary_unary_rpc_method_handler(respond)
    async with served(method, ReceivingInterceptor(Reading(ReceiveBudget(1), 0.5))) as open_stream:
        with pytest.raises(grpc.aio.AioRpcError, match=r"not arrive within 0\.5 s") as error:
            await open_stream().read()
    assert grpc.StatusCode.DEADLINE_EXCEEDED is error.value.code()
