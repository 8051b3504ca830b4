"""Streams: audio that arrives in parts, from callers who may stall."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar, cast

from segue.core.audio.decode import MAX_SECONDS
from segue.core.errors import AudioError, StreamStalled
from segue.server.rpc.handlers import close_reader

STALL_SECONDS = 30.0
"""How long nothing may come from a caller, and how long an answer may wait to be read."""

MAX_STREAM_SECONDS = float(MAX_SECONDS)
"""How long a piece may arrive: as long as the longest plays."""

MAX_STREAMS = 32
"""How many streams of a kind there may be at once; each may hold 16 MiB."""

MAX_CONCURRENT_REQUESTS = 8
"""How many requests of one stream are worked on at once, for each of them may hold 16 MiB."""

Message = TypeVar("Message")
Answer = TypeVar("Answer")


async def with_idle_timeout(messages: AsyncIterator[Message]) -> AsyncIterator[Message]:
    """The messages of a caller, one at a time: the next is fetched when it is asked for.

    Raises:
        StreamStalled: none came for ``STALL_SECONDS``, or they have been coming for ``LONGEST_SECONDS``.
    """
    clock = asyncio.get_running_loop().time
    latest = clock() + MAX_STREAM_SECONDS
    try:
        while True:
            if clock() >= latest:
                raise _lasted()
            try:
                async with asyncio.timeout(STALL_SECONDS):
                    message = await anext(messages)
            except StopAsyncIteration:
                return
            except TimeoutError:
                raise _stalled() from None
            yield message
    finally:
        await close_reader(messages)


async def map_concurrently(
    messages: AsyncIterator[Message], work: Callable[[Message], Awaitable[Answer]]
) -> AsyncGenerator[Answer, None]:
    """The answers to the messages of a caller, each as soon as it is there; ``MOST_AT_ONCE`` are worked on at once.

    Raises:
        StreamStalled: none came for ``STALL_SECONDS`` while nothing was worked on, or they have been coming for
            ``LONGEST_SECONDS``.
    """
    clock = asyncio.get_running_loop().time
    latest = clock() + MAX_STREAM_SECONDS
    working: set[asyncio.Task[Answer]] = set()
    reading = asyncio.create_task(_next(messages))
    more = True
    try:
        while more or working:
            if clock() >= latest:
                raise _lasted()
            waited_for = {*working, *([reading] if more and len(working) < MAX_CONCURRENT_REQUESTS else [])}
            done, _ = await asyncio.wait(
                waited_for, timeout=None if working else STALL_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
            if not done:
                raise _stalled()
            for ready in [task for task in working if task in done]:
                working.remove(ready)
                yield ready.result()
            if reading in done:
                more = bool(found := reading.result())
                working |= {asyncio.ensure_future(work(message)) for message in found}
                reading = asyncio.create_task(_next(messages)) if more else reading
    finally:
        for task in (reading, *working):
            task.cancel()
        await asyncio.wait({reading, *working})
        await close_reader(messages)


async def _next(messages: AsyncIterator[Message]) -> list[Message]:
    """The next message, or none after the last."""
    try:
        return [await anext(messages)]
    except StopAsyncIteration:
        return []


def _stalled() -> StreamStalled:
    return StreamStalled(f"Nothing came for {STALL_SECONDS:g} s. Send the parts of a stream one on the other.")


def _lasted() -> StreamStalled:
    return StreamStalled(f"The stream has lasted {MAX_STREAM_SECONDS:g} s. Send what is left in another one.")


@contextmanager
def write_timeout() -> Iterator[None]:
    """Ends the call where its caller does not read what is yielded in here within ``STALL_SECONDS``."""
    task = cast("asyncio.Task[object]", asyncio.current_task())
    # No status would reach a caller who does not read, so the call is just ended.
    patience = asyncio.get_running_loop().call_later(STALL_SECONDS, task.cancel)
    try:
        yield
    finally:
        patience.cancel()


@contextmanager
def chunk_errors() -> Iterator[None]:
    """Names the chunks in what is wrong with a piece that came in them."""
    try:
        yield
    except AudioError as error:
        error.field = "chunk"
        raise
