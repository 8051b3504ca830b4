"""Streams: audio that arrives in parts, from callers who may stall."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar, cast

from segue.core.audio.decode import MAX_SECONDS, MAX_UPLOAD_BYTES
from segue.core.audio.pcm import PcmForm, wav_header
from segue.core.errors import AudioError, AudioTooLong, MalformedRequest, Overloaded, StreamStalled
from segue.server.inference.decode_worker import Rest
from segue.server.inference.engine import Engine, Preview
from segue.server.interceptors.unary_read_timeout import let_go

STALL_SECONDS = 30.0
"""How long nothing may come from a caller, and how long an answer may wait to be read."""

LONGEST_SECONDS = float(MAX_SECONDS)
"""How long a piece may arrive: as long as the longest plays."""

MAX_STREAMS = 32
"""How many streams of a kind there may be at once; each may hold 16 MiB."""

MOST_AT_ONCE = 8
"""How many requests of one stream are worked on at once, for each of them may hold 16 MiB."""

# Less is a window of hardly any encoding.
_FIRST_TRY_BYTES = 8 * 2**10
# The neighbours that a window needs behind its end.
_SPARE_SECONDS = 0.1

Message = TypeVar("Message")
Answer = TypeVar("Answer")


async def coming(messages: AsyncIterator[Message]) -> AsyncIterator[Message]:
    """The messages of a caller, one at a time: the next is fetched when it is asked for.

    Raises:
        StreamStalled: none came for ``STALL_SECONDS``, or they have been coming for ``LONGEST_SECONDS``.
    """
    clock = asyncio.get_running_loop().time
    latest = clock() + LONGEST_SECONDS
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
        await let_go(messages)


async def side_by_side(
    messages: AsyncIterator[Message], work: Callable[[Message], Awaitable[Answer]]
) -> AsyncGenerator[Answer, None]:
    """The answers to the messages of a caller, each as soon as it is there; ``MOST_AT_ONCE`` are worked on at once.

    Raises:
        StreamStalled: none came for ``STALL_SECONDS`` while nothing was worked on, or they have been coming for
            ``LONGEST_SECONDS``.
    """
    clock = asyncio.get_running_loop().time
    latest = clock() + LONGEST_SECONDS
    working: set[asyncio.Task[Answer]] = set()
    reading = asyncio.create_task(_next(messages))
    more = True
    try:
        while more or working:
            if clock() >= latest:
                raise _lasted()
            waited_for = {*working, *([reading] if more and len(working) < MOST_AT_ONCE else [])}
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
        await let_go(messages)


async def _next(messages: AsyncIterator[Message]) -> list[Message]:
    """The next message, or none after the last."""
    try:
        return [await anext(messages)]
    except StopAsyncIteration:
        return []


def _stalled() -> StreamStalled:
    return StreamStalled(f"Nothing came for {STALL_SECONDS:g} s. Send the parts of a stream one on the other.")


def _lasted() -> StreamStalled:
    return StreamStalled(f"The stream has lasted {LONGEST_SECONDS:g} s. Send what is left in another one.")


@contextmanager
def soon_read() -> Iterator[None]:
    """Ends the call where its caller does not read what is yielded in here within ``STALL_SECONDS``."""
    task = cast("asyncio.Task[object]", asyncio.current_task())
    # No status would reach a caller who does not read, so the call is just ended.
    patience = asyncio.get_running_loop().call_later(STALL_SECONDS, task.cancel)
    try:
        yield
    finally:
        patience.cancel()


@contextmanager
def of_chunks() -> Iterator[None]:
    """Names the chunks in what is wrong with a piece that came in them."""
    try:
        yield
    except AudioError as error:
        error.field = "chunk"
        raise


class ArrivingAudio:
    """The bytes of one stream, and how many of its windows have been heard."""

    def __init__(self, engine: Engine, form: PcmForm | None) -> None:
        """Takes what hears it, and how its samples are written, or None for the bytes of a file."""
        self._engine = engine
        self._form = form
        self._bytes = bytearray(wav_header(form, None) if form else b"")
        self._header_bytes = len(self._bytes)
        self._windows = 0
        self._due = _FIRST_TRY_BYTES

    def take(self, chunk: bytes) -> None:
        """Adds the next bytes.

        Raises:
            AudioTooLong: there are more than 16 MiB altogether.
        """
        taken = len(self._bytes) - self._header_bytes + len(chunk)
        if taken > MAX_UPLOAD_BYTES:
            raise AudioTooLong(
                f"The stream has more than the {MAX_UPLOAD_BYTES:,} bytes that are taken. End it sooner.",
                limit_bytes=MAX_UPLOAD_BYTES,
            )
        self._bytes += chunk

    async def windows(self, seconds_left: float | None, *, ended: bool = False) -> AsyncIterator[Preview]:
        """The windows that have come to be complete since the last time.

        Args:
            seconds_left: how long anybody waits for them, or None where that is not known.
            ended: whether no more bytes will come.

        Raises:
            Overloaded: the stream has ended, and too many pieces are waiting already; before the end it is put off.
        """
        most = self._engine.model.manifest.windows
        while ended or len(self._bytes) >= self._due:
            try:
                arrived = await self._engine.analyze_partial(
                    bytes(self._bytes), Rest(self._windows, ended), seconds_left
                )
            except Overloaded:
                if ended:
                    raise
                self._due = len(self._bytes) + _FIRST_TRY_BYTES
                return
            self._windows += len(arrived.previews)
            self._due = self._next_due(arrived.seconds)
            for preview in arrived.previews:
                yield preview
            if len(arrived.previews) < most:
                return

    def whole(self) -> bytes:
        """The whole piece as the bytes of a file.

        Raises:
            MalformedRequest: nothing has come.
        """
        if len(self._bytes) == self._header_bytes:
            raise MalformedRequest("chunk", "No chunk came. Send the bytes of a piece of music behind the config.")
        if self._form is None:
            return bytes(self._bytes)
        samples = self._bytes[self._header_bytes :]
        return wav_header(self._form, len(samples)) + samples

    def _next_due(self, seconds: float) -> int:
        """How many bytes will hold one window more, when so many hold ``seconds``."""
        there = len(self._bytes)
        if not seconds:
            return 2 * there
        needed = (self._windows + 1) * self._engine.model.manifest.features.window_seconds + _SPARE_SECONDS
        return max(there + 1, int(there * needed / seconds))
