"""Time limits of streams on a simulated clock, whose time passes only while every task waits."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import AsyncIterator, Callable, Coroutine

import pytest

from segue.core.errors import StreamStalled
from segue.server.inference.spool import Spool
from segue.server.rpc.streams import (
    MAX_CONCURRENT_REQUESTS,
    MAX_STREAM_SECONDS,
    STALL_SECONDS,
    map_concurrently,
    with_idle_timeout,
    with_progress,
)


class SkippingSelector(selectors.DefaultSelector):
    """A selector that never waits, but counts the seconds that it would have waited."""

    seconds = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """The events that are ready now."""
        ready = super().select(0)
        self.seconds += 0 if ready else timeout or 0
        return ready


class SimulatedLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock shows the seconds that its selector has skipped."""

    def __init__(self) -> None:
        self._skipping = SkippingSelector()
        super().__init__(self._skipping)

    def time(self) -> float:
        """The simulated time in seconds."""
        return self._skipping.seconds


def on_simulated_clock(test: Callable[[], Coroutine[None, None, None]]) -> Callable[[], None]:
    """Runs a test on such a loop."""

    def run() -> None:
        with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
            runner.run(test())

    run.__doc__ = test.__doc__
    return run


@on_simulated_clock
async def test_one_message_at_a_time() -> None:
    """A message is read only when it is requested."""
    read = []

    async def messages() -> AsyncIterator[int]:
        for number in range(10):
            read.append(number)
            yield number

    stream = with_idle_timeout(messages())
    assert [0, 1] == [await anext(stream), await anext(stream)]
    assert [0, 1] == read


@on_simulated_clock
async def test_pauses_between_messages() -> None:
    """The time limit starts again with every message."""

    async def messages() -> AsyncIterator[int]:
        for number in range(4):
            await asyncio.sleep(STALL_SECONDS - 1)
            yield number
        await asyncio.sleep(STALL_SECONDS + 1)

    received: list[int] = []

    async def receive() -> None:
        async for number in with_idle_timeout(messages()):
            received.append(number)

    with pytest.raises(StreamStalled):
        await receive()
    assert [0, 1, 2, 3] == received


@on_simulated_clock
async def test_a_stream_without_end() -> None:
    """A caller who sends a little in time, again and again, is stopped when the longest clip would be over."""

    async def messages() -> AsyncIterator[bytes]:
        while True:
            yield b"a"
            await asyncio.sleep(STALL_SECONDS - 1)

    async def echo(message: bytes) -> bytes:
        return message

    for stream in (with_idle_timeout(messages()), map_concurrently(messages(), echo)):
        with pytest.raises(StreamStalled, match=f"lasted {MAX_STREAM_SECONDS:g} s"):
            assert [] == [message async for message in stream if message != b"a"]


async def trickle(size: int, seconds: float, count: int) -> AsyncIterator[bytes]:
    """Chunks of some size, with a pause before each."""
    for _ in range(count):
        await asyncio.sleep(seconds)
        yield bytes(size)


@on_simulated_clock
async def test_a_caller_who_sends_too_little() -> None:
    """A stream with a byte now and then ends, and its space in the spool is free, however large it was before."""
    spool = Spool(None, 2**30, 2**30)

    async def chunks() -> AsyncIterator[bytes]:
        yield bytes(2**20)
        async for chunk in trickle(1, STALL_SECONDS - 1, 1_000):
            yield chunk

    async def store() -> None:
        with spool.open() as clip:
            async for chunk in with_progress(chunks()):
                spool.reserve(len(chunk), clip.received + len(chunk))
                clip.received += len(chunk)

    with pytest.raises(StreamStalled, match="Less than 16 KiB arrived in 300 s"):
        await store()
    assert 0 == spool.used_bytes


@on_simulated_clock
async def test_the_slowest_music() -> None:
    """An hour of 2 kbit/s is read to its end, also if the server needs its time between the chunks."""
    arrived = 0
    async for chunk in with_progress(trickle(250 * 20, 20.0, 180)):
        arrived += len(chunk)
        await asyncio.sleep(1_000)
    assert 250 * 3_600 == arrived


@on_simulated_clock
async def test_the_limit_of_concurrent_requests() -> None:
    """Only so many messages are processed at once, and at most one more is read."""
    read: list[int] = []
    free = asyncio.Event()

    async def messages() -> AsyncIterator[int]:
        for number in range(50):
            read.append(number)
            yield number

    async def work(number: int) -> int:
        await free.wait()
        return number

    responses = map_concurrently(messages(), work)
    first = asyncio.ensure_future(anext(responses))
    await asyncio.sleep(1)
    assert MAX_CONCURRENT_REQUESTS + 1 >= len(read)
    free.set()
    assert list(range(50)) == sorted([await first] + [response async for response in responses])


@on_simulated_clock
async def test_a_caller_who_waits_is_not_stalled() -> None:
    """A caller may pause while a request is processed, but not when all are done."""

    async def messages() -> AsyncIterator[int]:
        yield 1
        await asyncio.sleep(10 * STALL_SECONDS)

    async def work(number: int) -> int:
        await asyncio.sleep(2 * STALL_SECONDS)
        return number

    responses = map_concurrently(messages(), work)
    assert 1 == await anext(responses)
    with pytest.raises(StreamStalled):
        await anext(responses)


@on_simulated_clock
async def test_a_cancelled_call_stops_its_work() -> None:
    """The requests in progress are cancelled with the call."""
    cancelled = asyncio.Event()

    async def messages() -> AsyncIterator[int]:
        yield 0
        yield 1
        await asyncio.sleep(60)

    async def work(number: int) -> int:
        try:
            await asyncio.sleep(2 * number)
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return number

    responses = map_concurrently(messages(), work)
    assert 0 == await anext(responses)
    following = asyncio.ensure_future(anext(responses))
    await asyncio.sleep(1)
    following.cancel()
    await asyncio.wait_for(cancelled.wait(), 1)
