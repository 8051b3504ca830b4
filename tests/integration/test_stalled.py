"""Callers of streams who stop sending, or stop reading."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest

from segue.core.errors import StreamStalled
from segue.server import messages, streaming
from segue.server.messages import MessageInterceptor
from segue.server.status import StatusInterceptor
from segue.server.streaming import MOST_AT_ONCE, coming, side_by_side, soon_read

METHOD = "/test.Streams/Echo"


async def echo(requests: AsyncIterator[bytes], _context: object) -> AsyncIterator[bytes]:
    """Answers a megabyte to each message."""
    async for _ in coming(requests):
        with soon_read():
            yield bytes(2**20)


@asynccontextmanager
async def served(ended: asyncio.Event) -> AsyncIterator[Callable[[], Any]]:
    """What opens a stream to a server that echoes, and tells when a call has ended."""

    async def watched(requests: AsyncIterator[bytes], context: object) -> AsyncIterator[bytes]:
        try:
            async for answer in echo(requests, context):
                yield answer
        finally:
            ended.set()

    server = grpc.aio.server(interceptors=[StatusInterceptor()])
    handlers = {"Echo": grpc.stream_stream_rpc_method_handler(watched)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Streams", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        opening: Any = channel.stream_stream
        yield opening(METHOD)
    await server.stop(None)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a second is enough to be called stalled."""
    monkeypatch.setattr(streaming, "STALL_SECONDS", 0.5)


async def test_whoever_sends_nothing_is_told() -> None:
    """A stream on which nothing comes ends by its own reason."""
    ended = asyncio.Event()
    async with served(ended) as open_stream:
        call = open_stream()
        await call.write(b"one")
        assert 2**20 == len(await call.read())
        with pytest.raises(grpc.aio.AioRpcError, match=r"Nothing came for 0\.5 s") as error:
            await call.read()
        assert grpc.StatusCode.DEADLINE_EXCEEDED is error.value.code()
        trailers: Any = error.value.trailing_metadata()
        assert b"STREAM_STALLED" in dict(trailers)["grpc-status-details-bin"]
        assert ended.is_set()


async def test_whoever_does_not_read_is_dropped() -> None:
    """A stream whose answers are not read ends, however eagerly it is written to, and the server goes on."""
    ended = asyncio.Event()
    async with served(ended) as open_stream:
        call = open_stream()
        writing = asyncio.create_task(_write_on(call))
        await asyncio.wait_for(ended.wait(), 60)
        writing.cancel()
        other = open_stream()
        await other.write(b"one")
        assert 2**20 == len(await other.read())


async def _write_on(call: Any) -> None:  # noqa: ANN401 - a stream
    while True:
        await call.write(b"more")
        await asyncio.sleep(0.01)


async def test_a_message_that_never_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A unary call is ended that would wait for its message as long as its caller likes."""
    monkeypatch.setattr(messages, "MESSAGE_SECONDS", 0.5)

    async def answer(_request: bytes, _context: object) -> bytes:
        raise AssertionError("there is nothing to answer")

    server = grpc.aio.server(interceptors=[StatusInterceptor(), MessageInterceptor()])
    handlers = {"Echo": grpc.unary_unary_rpc_method_handler(answer)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Streams", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        opening: Any = channel.stream_stream
        with pytest.raises(grpc.aio.AioRpcError, match=r"not come within 0\.5 s") as error:
            await opening(METHOD)().read()
    assert grpc.StatusCode.DEADLINE_EXCEEDED is error.value.code()
    await server.stop(None)


async def test_one_message_at_a_time() -> None:
    """No message is fetched before it is asked for."""
    fetched = []

    async def messages() -> AsyncIterator[int]:
        for number in range(10):
            fetched.append(number)
            yield number

    taken = coming(messages())
    assert [0, 1] == [await anext(taken), await anext(taken)]
    assert [0, 1] == fetched


async def test_a_message_that_comes_in_time() -> None:
    """The patience begins anew with every message."""

    async def slowly() -> AsyncIterator[int]:
        for number in range(4):
            await asyncio.sleep(0.3)
            yield number
        await asyncio.sleep(5)

    taken: list[int] = []

    async def take() -> None:
        async for number in coming(slowly()):
            taken.append(number)

    with pytest.raises(StreamStalled):
        await take()
    assert [0, 1, 2, 3] == taken


async def test_a_trickle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever sends a little in time, again and again, is told when that has lasted as long as any piece plays."""
    monkeypatch.setattr(streaming, "LONGEST_SECONDS", 0.8)

    async def drop_by_drop() -> AsyncIterator[bytes]:
        while True:
            yield b"a"
            await asyncio.sleep(0.1)

    with pytest.raises(StreamStalled, match=r"lasted 0\.8 s"):
        assert [] == [message async for message in coming(drop_by_drop()) if message != b"a"]


async def test_no_more_at_once() -> None:
    """Only so many messages are worked on at once, and no more are fetched than one beyond."""
    fetched: list[int] = []
    free = asyncio.Event()

    async def messages() -> AsyncIterator[int]:
        for number in range(50):
            fetched.append(number)
            yield number

    async def work(number: int) -> int:
        await free.wait()
        return number

    answers = side_by_side(messages(), work)
    first = asyncio.ensure_future(anext(answers))
    await asyncio.sleep(0.2)
    assert MOST_AT_ONCE + 1 >= len(fetched)
    free.set()
    assert list(range(50)) == sorted([await first] + [answer async for answer in answers])


async def test_work_is_no_stall() -> None:
    """Whoever waits for an answer is not stalled; whoever has them all and sends no more is."""

    async def messages() -> AsyncIterator[int]:
        yield 1
        await asyncio.sleep(60)

    async def work(number: int) -> int:
        await asyncio.sleep(1)
        return number

    answers = side_by_side(messages(), work)
    assert 1 == await anext(answers)
    with pytest.raises(StreamStalled):
        await anext(answers)


async def test_whoever_leaves_stops_the_work() -> None:
    """What is worked on when the answers are no longer wanted is given up."""
    stopped = asyncio.Event()

    async def messages() -> AsyncIterator[int]:
        yield 0
        yield 1
        await asyncio.sleep(60)

    async def work(number: int) -> int:
        try:
            await asyncio.sleep(2 * number)
        except asyncio.CancelledError:
            stopped.set()
            raise
        return number

    answers = side_by_side(messages(), work)
    assert 0 == await anext(answers)
    following = asyncio.ensure_future(anext(answers))
    await asyncio.sleep(0.2)
    following.cancel()
    await asyncio.wait_for(stopped.wait(), 10)
