"""The memory of a call is released at its end: reference cycles may stay for hours in a server with few new objects."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import grpc
import pytest

from segue.core.errors import AudioUndecodable
from segue.core.model.trained_model import Model
from segue.core.process_pool import ProcessPool
from segue.server.callers.receive_budget import ReceiveBudget
from segue.server.inference.decode_task import DecodeTask
from segue.server.inference.decode_worker import DECODE_LIMITS, PRELOADED, DecodeWorker
from segue.server.inference.engine import Engine
from segue.server.interceptors.call_observer import CallObserverInterceptor
from segue.server.interceptors.error_status import ErrorStatusInterceptor
from segue.server.interceptors.receiving import Reading, ReceivingInterceptor
from segue.server.observability.log_setup import CallLogger
from segue.server.observability.metrics import Metrics
from segue.server.rpc.streams import MAX_CONCURRENT_REQUESTS, map_concurrently, with_idle_timeout
from tests.helpers.machine.waiting import wait_until_async


@pytest.fixture(autouse=True)
def no_garbage_collection() -> Iterator[None]:
    """Only objects without references are released."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


class Message:
    """A message whose release can be observed."""

    def __init__(self, _content: bytes) -> None:
        MESSAGES.add(self)


MESSAGES: weakref.WeakSet[Message] = weakref.WeakSet()


async def fail(_request: Message, _context: object) -> bytes:
    """A unary method that always fails."""
    raise AudioUndecodable("It cannot be decoded.")


async def succeed(_request: Message, _context: object) -> bytes:
    """A unary method that always succeeds."""
    return b"response"


async def fail_after_one(requests: AsyncIterator[Message], _context: object) -> AsyncIterator[bytes]:
    """A stream that responds to its first message and then fails."""
    async for _ in with_idle_timeout(requests):
        yield b"one"
        raise AudioUndecodable("It cannot be decoded.")


async def never_respond(requests: AsyncIterator[Message], _context: object) -> AsyncIterator[bytes]:
    """A stream that reads as many messages as it can, and never responds."""
    async with aclosing(map_concurrently(requests, _work)) as responses:
        async for _ in responses:
            yield b""


async def _work(request: Message) -> Message:
    await asyncio.sleep(600)
    return request


@asynccontextmanager
async def served() -> AsyncIterator[Any]:
    """A channel to a server with the interceptors of the real one."""
    server = grpc.aio.server(
        interceptors=[
            CallObserverInterceptor([CallLogger()]),
            ErrorStatusInterceptor(),
            ReceivingInterceptor(Reading(ReceiveBudget(1), 300.0)),
        ]
    )
    handlers = {
        "Succeed": grpc.unary_unary_rpc_method_handler(succeed, request_deserializer=Message),
        "Fail": grpc.unary_unary_rpc_method_handler(fail, request_deserializer=Message),
        "FailAfterOne": grpc.stream_stream_rpc_method_handler(fail_after_one, request_deserializer=Message),
        "NeverRespond": grpc.stream_stream_rpc_method_handler(never_respond, request_deserializer=Message),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Calls", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel
    await server.stop(None)


async def test_a_failed_call() -> None:
    """The message of a failed call is released, and the call has the right status."""
    async with served() as channel:
        with pytest.raises(grpc.aio.AioRpcError, match="cannot be decoded") as error:
            await channel.unary_unary("/test.Calls/Fail")(b"audio")
        assert grpc.StatusCode.INVALID_ARGUMENT is error.value.code()
        await wait_until_async(lambda: not MESSAGES)


async def test_a_successful_call() -> None:
    """The message of a successful call is released."""
    async with served() as channel:
        assert b"response" == await channel.unary_unary("/test.Calls/Succeed")(b"audio")
        await wait_until_async(lambda: not MESSAGES)


async def test_a_failed_stream() -> None:
    """The messages of a failed stream are released."""
    async with served() as channel:
        call = channel.stream_stream("/test.Calls/FailAfterOne")()
        await call.write(b"audio")
        assert b"one" == await call.read()
        with pytest.raises(grpc.aio.AioRpcError, match="cannot be decoded"):
            await call.read()
        await wait_until_async(lambda: not MESSAGES)


async def test_a_cancelled_stream() -> None:
    """The messages in progress, and the one that waits, are released if the caller cancels."""
    async with served() as channel:
        call = channel.stream_stream("/test.Calls/NeverRespond")()
        for _ in range(MAX_CONCURRENT_REQUESTS + 1):
            await call.write(b"audio")
        await wait_until_async(lambda: len(MESSAGES) == MAX_CONCURRENT_REQUESTS + 1)
        call.cancel()
        await wait_until_async(lambda: not MESSAGES)


async def test_an_undecodable_clip(loaded_tiny_model: Model) -> None:
    """The bytes of a clip that cannot be decoded are released."""
    manifest = loaded_tiny_model.manifest
    worker = DecodeWorker(manifest.features, manifest.windows)
    with ProcessPool(1, worker, preload=PRELOADED, limits=DECODE_LIMITS) as workers:
        engine = Engine(loaded_tiny_model, workers, 1_000, Metrics())
        assert "AudioUndecodable" == await _error_name(engine)
        await wait_until_async(lambda: not [task for task in gc.get_objects() if type(task) is DecodeTask])
        engine.close()


async def _error_name(engine: Engine) -> str:
    try:
        await engine.analyze(b"RIFF" + bytes(100_000))
    except AudioUndecodable as error:
        return type(error).__name__
    return ""
