"""Callers of streams who stop sending, or stop reading."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import grpc
import pytest

from segue.server.interceptors import unary_read_timeout
from segue.server.interceptors.error_status import ErrorStatusInterceptor
from segue.server.interceptors.unary_read_timeout import UnaryReadInterceptor
from segue.server.rpc import streams
from segue.server.rpc.handlers import Handler
from segue.server.rpc.streams import with_idle_timeout, write_timeout
from tests.helpers.waiting import PATIENCE_SECONDS

METHOD = "/test.Streams/Echo"
Interceptor: TypeAlias = "grpc.aio.ServerInterceptor[Any, Any]"


async def echo(requests: AsyncIterator[bytes], _context: object) -> AsyncIterator[bytes]:
    """Answers a megabyte to each message."""
    async for _ in with_idle_timeout(requests):
        with write_timeout():
            yield bytes(2**20)


@asynccontextmanager
async def served(method: Handler, *interceptors: Interceptor) -> AsyncIterator[Callable[[], Any]]:
    """What opens a stream to a server with one method."""
    server = grpc.aio.server(interceptors=[ErrorStatusInterceptor(), *interceptors])
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Streams", {"Echo": method}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        opening: Any = channel.stream_stream
        yield opening(METHOD)
    await server.stop(None)


def echoing(ended: asyncio.Event) -> Handler:
    """A method that echoes, and tells when a call has ended."""

    async def observe_calls(requests: AsyncIterator[bytes], context: object) -> AsyncIterator[bytes]:
        try:
            async for answer in echo(requests, context):
                yield answer
        finally:
            ended.set()

    return grpc.stream_stream_rpc_method_handler(observe_calls)


async def test_whoever_sends_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream on which nothing comes ends by its own reason."""
    monkeypatch.setattr(streams, "STALL_SECONDS", 2.0)
    ended = asyncio.Event()
    async with served(echoing(ended)) as open_stream:
        call = open_stream()
        await call.write(b"one")
        assert 2**20 == len(await call.read())
        with pytest.raises(grpc.aio.AioRpcError, match="Nothing came for 2 s") as error:
            await call.read()
        assert grpc.StatusCode.DEADLINE_EXCEEDED is error.value.code()
        trailers: Any = error.value.trailing_metadata()
        assert b"STREAM_STALLED" in dict(trailers)["grpc-status-details-bin"]
        assert ended.is_set()


async def test_whoever_does_not_read_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream whose answers are not read ends, however eagerly it is written to, and the server goes on."""
    ended = asyncio.Event()
    async with served(echoing(ended)) as open_stream:
        monkeypatch.setattr(streams, "STALL_SECONDS", 0.5)
        call = open_stream()
        writing = asyncio.create_task(_write_on(call))
        await asyncio.wait_for(ended.wait(), PATIENCE_SECONDS)
        writing.cancel()
        monkeypatch.undo()
        other = open_stream()
        await other.write(b"one")
        assert 2**20 == len(await other.read())


async def _write_on(call: Any) -> None:  # noqa: ANN401 - a stream
    while True:
        await call.write(b"more")
        await asyncio.sleep(0.01)


async def test_a_message_that_never_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A unary call is ended that would wait for its message as long as its caller likes."""
    monkeypatch.setattr(unary_read_timeout, "MESSAGE_SECONDS", 0.5)

    async def answer(_request: bytes, _context: object) -> bytes:
        raise AssertionError("there is nothing to answer")

    method = grpc.unary_unary_rpc_method_handler(answer)
    async with served(method, UnaryReadInterceptor(1, "")) as open_stream:
        with pytest.raises(grpc.aio.AioRpcError, match=r"not come within 0\.5 s") as error:
            await open_stream().read()
    assert grpc.StatusCode.DEADLINE_EXCEEDED is error.value.code()
