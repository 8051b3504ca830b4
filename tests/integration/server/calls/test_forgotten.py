"""What failed is let go of at once: garbage that hangs together may lie for hours in a server with few new objects."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import grpc
import pytest

from segue.core.errors import AudioUndecodable
from segue.core.model.saved_model import Model
from segue.core.process_pool import ProcessPool
from segue.server.inference.decode_worker import DECODE_LIMITS, PRELOADED, DecodeTask, DecodeWorker
from segue.server.inference.engine import Engine
from segue.server.interceptors.call_observer import CallObserverInterceptor
from segue.server.interceptors.error_status import ErrorStatusInterceptor
from segue.server.interceptors.unary_read_timeout import UnaryReadInterceptor
from segue.server.observability.log_setup import CallLogger
from segue.server.observability.metrics import Metrics
from segue.server.rpc.streams import MAX_CONCURRENT_REQUESTS, map_concurrently, with_idle_timeout
from tests.helpers.waiting import PATIENCE_SECONDS


@pytest.fixture(autouse=True)
def uncollected() -> Iterator[None]:
    """Nothing goes but what nobody refers to."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


class Sent:
    """A message that can be seen to be gone."""

    def __init__(self, _content: bytes) -> None:
        LEFT.add(self)


LEFT: weakref.WeakSet[Sent] = weakref.WeakSet()


async def refuse(_request: Sent, _context: object) -> bytes:
    """Answers no request."""
    raise AudioUndecodable("It is none.")


async def answer(_request: Sent, _context: object) -> bytes:
    """Answers every request."""
    return b"answer"


async def refuse_more(requests: AsyncIterator[Sent], _context: object) -> AsyncIterator[bytes]:
    """Answers the first message of a stream, and no more."""
    async for _ in with_idle_timeout(requests):
        yield b"one"
        raise AudioUndecodable("It is none.")


async def answer_none(requests: AsyncIterator[Sent], _context: object) -> AsyncIterator[bytes]:
    """Takes as many messages of a stream as it can, and never has an answer."""
    async with aclosing(map_concurrently(requests, _work_on)) as answers:
        async for _ in answers:
            yield b""


async def _work_on(request: Sent) -> Sent:
    await asyncio.sleep(600)
    return request


@asynccontextmanager
async def served() -> AsyncIterator[Any]:
    """A way to a server with the interceptors of the real one."""
    server = grpc.aio.server(
        interceptors=[CallObserverInterceptor([CallLogger()]), ErrorStatusInterceptor(), UnaryReadInterceptor(1, "")]
    )
    handlers = {
        "Well": grpc.unary_unary_rpc_method_handler(answer, request_deserializer=Sent),
        "One": grpc.unary_unary_rpc_method_handler(refuse, request_deserializer=Sent),
        "Many": grpc.stream_stream_rpc_method_handler(refuse_more, request_deserializer=Sent),
        "Together": grpc.stream_stream_rpc_method_handler(answer_none, request_deserializer=Sent),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Calls", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel
    await server.stop(None)


async def until(true: Callable[[], bool]) -> None:
    """Waits until something is so."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not true():  # noqa: ASYNC110 - nothing tells that an object is gone
            await asyncio.sleep(0.02)


async def test_a_call_that_failed() -> None:
    """Its message is gone when it has its status, which is the one that it was to have."""
    async with served() as channel:
        with pytest.raises(grpc.aio.AioRpcError, match=r"It is none\.") as error:
            await channel.unary_unary("/test.Calls/One")(b"audio")
        assert grpc.StatusCode.INVALID_ARGUMENT is error.value.code()
        await until(lambda: not LEFT)


async def test_a_call_that_is_answered() -> None:
    """Its message is gone too."""
    async with served() as channel:
        assert b"answer" == await channel.unary_unary("/test.Calls/Well")(b"audio")
        await until(lambda: not LEFT)


async def test_a_stream_that_failed() -> None:
    """So are the messages of a stream."""
    async with served() as channel:
        call = channel.stream_stream("/test.Calls/Many")()
        await call.write(b"audio")
        assert b"one" == await call.read()
        with pytest.raises(grpc.aio.AioRpcError, match="is none"):
            await call.read()
        await until(lambda: not LEFT)


async def test_a_stream_that_was_left() -> None:
    """So are those that were worked on, and the one that waited, when a caller hangs up."""
    async with served() as channel:
        call = channel.stream_stream("/test.Calls/Together")()
        for _ in range(MAX_CONCURRENT_REQUESTS + 1):
            await call.write(b"audio")
        await until(lambda: len(LEFT) == MAX_CONCURRENT_REQUESTS + 1)
        call.cancel()
        await until(lambda: not LEFT)


async def test_a_piece_that_failed(loaded_tiny_model: Model) -> None:
    """Its bytes are gone when its error is."""
    manifest = loaded_tiny_model.manifest
    listening = DecodeWorker(manifest.features, manifest.windows)
    with ProcessPool(1, listening, preload=PRELOADED, limits=DECODE_LIMITS) as listeners:
        engine = Engine(loaded_tiny_model, listeners, 1_000, Metrics())
        assert "AudioUndecodable" == await _refused(engine)
        await until(lambda: not [one for one in gc.get_objects() if type(one) is DecodeTask])
        engine.close()


async def _refused(engine: Engine) -> str:
    try:
        await engine.analyze(b"RIFF" + bytes(100_000))
    except AudioUndecodable as error:
        return type(error).__name__
    return ""
