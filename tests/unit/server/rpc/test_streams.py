"""Streams by a clock of their own, on which seconds pass only when nobody has anything to do."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import AsyncIterator, Callable, Coroutine

import pytest

from segue.core.errors import StreamStalled
from segue.server.rpc.streams import (
    MAX_CONCURRENT_REQUESTS,
    MAX_STREAM_SECONDS,
    STALL_SECONDS,
    map_concurrently,
    with_idle_timeout,
)


class Skipping(selectors.DefaultSelector):
    """Waits for nothing: the time in which nothing would have come has passed at once."""

    passed = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What is ready now."""
        ready = super().select(0)
        self.passed += 0 if ready else timeout or 0
        return ready


class SkippingLoop(asyncio.SelectorEventLoop):
    """A loop on which no time is lost, and none is too short for whatever is to be done in it."""

    def __init__(self) -> None:
        self._skipping = Skipping()
        super().__init__(self._skipping)

    def time(self) -> float:
        """How many seconds have passed."""
        return self._skipping.passed


def by_its_own_clock(test: Callable[[], Coroutine[None, None, None]]) -> Callable[[], None]:
    """Runs a test on such a loop."""

    def run() -> None:
        with asyncio.Runner(loop_factory=SkippingLoop) as runner:
            runner.run(test())

    run.__doc__ = test.__doc__
    return run


@by_its_own_clock
async def test_one_message_at_a_time() -> None:
    """No message is fetched before it is asked for."""
    fetched = []

    async def messages() -> AsyncIterator[int]:
        for number in range(10):
            fetched.append(number)
            yield number

    taken = with_idle_timeout(messages())
    assert [0, 1] == [await anext(taken), await anext(taken)]
    assert [0, 1] == fetched


@by_its_own_clock
async def test_a_message_that_comes_in_time() -> None:
    """The patience begins anew with every message."""

    async def slowly() -> AsyncIterator[int]:
        for number in range(4):
            await asyncio.sleep(STALL_SECONDS - 1)
            yield number
        await asyncio.sleep(STALL_SECONDS + 1)

    taken: list[int] = []

    async def take() -> None:
        async for number in with_idle_timeout(slowly()):
            taken.append(number)

    with pytest.raises(StreamStalled):
        await take()
    assert [0, 1, 2, 3] == taken


@by_its_own_clock
async def test_a_trickle() -> None:
    """Whoever sends a little in time, again and again, is told when that has lasted as long as any piece plays."""

    async def drop_by_drop() -> AsyncIterator[bytes]:
        while True:
            yield b"a"
            await asyncio.sleep(STALL_SECONDS - 1)

    async def work(message: bytes) -> bytes:
        return message

    for taken in (with_idle_timeout(drop_by_drop()), map_concurrently(drop_by_drop(), work)):
        with pytest.raises(StreamStalled, match=f"lasted {MAX_STREAM_SECONDS:g} s"):
            assert [] == [message async for message in taken if message != b"a"]


@by_its_own_clock
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

    answers = map_concurrently(messages(), work)
    first = asyncio.ensure_future(anext(answers))
    await asyncio.sleep(1)
    assert MAX_CONCURRENT_REQUESTS + 1 >= len(fetched)
    free.set()
    assert list(range(50)) == sorted([await first] + [answer async for answer in answers])


@by_its_own_clock
async def test_work_is_no_stall() -> None:
    """Whoever waits for an answer is not stalled; whoever has them all and sends no more is."""

    async def messages() -> AsyncIterator[int]:
        yield 1
        await asyncio.sleep(10 * STALL_SECONDS)

    async def work(number: int) -> int:
        await asyncio.sleep(2 * STALL_SECONDS)
        return number

    answers = map_concurrently(messages(), work)
    assert 1 == await anext(answers)
    with pytest.raises(StreamStalled):
        await anext(answers)


@by_its_own_clock
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

    answers = map_concurrently(messages(), work)
    assert 0 == await anext(answers)
    following = asyncio.ensure_future(anext(answers))
    await asyncio.sleep(1)
    following.cancel()
    await asyncio.wait_for(stopped.wait(), 1)
