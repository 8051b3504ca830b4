"""Time limits and concurrency of streaming calls, whose callers may stall."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar, cast

from segue.core.audio.limits import MAX_SECONDS
from segue.core.errors import AudioError, StreamStalled
from segue.server.rpc.handlers import close_reader

STALL_SECONDS = 30.0
"""Longest pause between two messages of a caller, and longest time until a response is read."""

PROGRESS_SECONDS = 300.0
"""Waiting time in which ``PROGRESS_BYTES`` of a clip must arrive; a slow caller would hold disk space for others."""

PROGRESS_BYTES = 16 * 2**10
"""Bytes of a clip that must arrive in ``PROGRESS_SECONDS``: 0.4 kbit/s, less than any codec for music needs."""

MAX_STREAM_SECONDS = float(MAX_SECONDS)
"""Longest duration of a stream: the longest clip may be streamed in real time."""

MAX_STREAMS = 32
"""Largest number of concurrent streams of each kind; each may hold a chunk."""

MAX_CONCURRENT_REQUESTS = 8
"""Largest number of requests of one stream that are processed at once; each may hold 16 MiB."""

Message = TypeVar("Message")
Response = TypeVar("Response")


async def with_idle_timeout(
    messages: AsyncIterator[Message], idle_seconds: float = STALL_SECONDS
) -> AsyncIterator[Message]:
    """Yields the messages of a caller; each is read only when it is requested.

    Raises:
        StreamStalled: the caller paused for ``idle_seconds``, or the stream has lasted ``MAX_STREAM_SECONDS``.
    """
    clock = asyncio.get_running_loop().time
    end = clock() + MAX_STREAM_SECONDS
    try:
        while True:
            if clock() >= end:
                raise _lasted_too_long()
            try:
                async with asyncio.timeout(idle_seconds):
                    message = await anext(messages)
            except StopAsyncIteration:
                return
            except TimeoutError:
                raise _stalled(idle_seconds) from None
            yield message
    finally:
        await close_reader(messages)


async def with_progress(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yields the chunks of a caller; only the time in which the server waits for them counts.

    Raises:
        StreamStalled: less than ``PROGRESS_BYTES`` arrived in ``PROGRESS_SECONDS``.
    """
    clock = asyncio.get_running_loop().time
    waited, arrived, since = 0.0, 0, clock()
    async for chunk in chunks:
        waited, arrived = waited + clock() - since, arrived + len(chunk)
        if waited >= PROGRESS_SECONDS:
            if arrived < PROGRESS_BYTES:
                raise _too_slow()
            waited, arrived = 0.0, 0
        yield chunk
        since = clock()


async def map_concurrently(
    messages: AsyncIterator[Message],
    function: Callable[[Message], Awaitable[Response]],
    weight: Callable[[Message], float] = lambda _: 1.0,
) -> AsyncGenerator[Response, None]:
    """Yields the result of ``function`` for each message as soon as it is ready, with up to 8 running at once.

    Args:
        messages: the messages of a caller.
        function: called with each of them.
        weight: returns how many of the 8 a message counts as, in (0, 1]: less for one that holds little memory.

    Raises:
        StreamStalled: the caller paused for ``STALL_SECONDS`` while nothing was running, or the stream has lasted
            ``MAX_STREAM_SECONDS``.
    """
    clock = asyncio.get_running_loop().time
    end = clock() + MAX_STREAM_SECONDS
    running: dict[asyncio.Task[Response], float] = {}
    reading = asyncio.create_task(_next_message(messages))
    more = True
    try:
        while more or running:
            if clock() >= end:
                raise _lasted_too_long()
            has_room = sum(running.values()) < MAX_CONCURRENT_REQUESTS
            pending = {*running, *([reading] if more and has_room else [])}
            done, _ = await asyncio.wait(
                pending, timeout=None if running else STALL_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
            if not done:
                raise _stalled(STALL_SECONDS)
            for finished in [task for task in running if task in done]:
                del running[finished]
                yield finished.result()
            if reading in done:
                message = reading.result()
                more = bool(message)
                running |= {asyncio.ensure_future(function(content)): weight(content) for content in message}
                reading = asyncio.create_task(_next_message(messages)) if more else reading
    finally:
        for task in (reading, *running):
            task.cancel()
        await asyncio.wait({reading, *running})
        await close_reader(messages)


async def _next_message(messages: AsyncIterator[Message]) -> list[Message]:
    """Returns the next message in a list, or an empty list after the last one."""
    try:
        return [await anext(messages)]
    except StopAsyncIteration:
        return []


def _stalled(idle_seconds: float) -> StreamStalled:
    return StreamStalled(
        f"No message arrived for {idle_seconds:g} s. Send messages without pauses of {idle_seconds:g} s or more."
    )


def _too_slow() -> StreamStalled:
    return StreamStalled(
        f"Less than {PROGRESS_BYTES // 2**10} KiB arrived in {PROGRESS_SECONDS:g} s. Send the clip faster, or store it "
        "and send it when it is complete."
    )


def _lasted_too_long() -> StreamStalled:
    return StreamStalled(
        f"The stream has lasted {MAX_STREAM_SECONDS:g} s, which is the limit. Send the rest in another."
    )


@contextmanager
def write_timeout(seconds: float = STALL_SECONDS) -> Iterator[None]:
    """Cancels the call if its caller does not read the response that is yielded in the block within ``seconds``."""
    task = cast("asyncio.Task[object]", asyncio.current_task())
    # A caller who does not read would not receive a status either, so the call is only cancelled.
    timer = asyncio.get_running_loop().call_later(seconds, task.cancel)
    try:
        yield
    finally:
        timer.cancel()


@contextmanager
def audio_errors(field: str) -> Iterator[None]:
    """Sets the field of any audio error that is raised in the block."""
    try:
        yield
    except AudioError as error:
        error.field = field
        raise
