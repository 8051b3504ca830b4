"""The calls of the contract that are streams, described once for both kinds of client."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

import grpc

from segue.client._calls import (
    MAX_TIMEOUT,
    Answer,
    AudioSource,
    Endpoint,
    Request,
    Stubs,
    check_timeout,
    int32,
    mask,
    recommend,
)
from segue.client._error_mapping import from_rpc_error, from_status
from segue.client.errors import SegueError
from segue.v1.audio_pb2 import PcmFormat
from segue.v1.classification_service_pb2 import (
    StreamingClassifyConfig,
    StreamingClassifyRequest,
    StreamingClassifyResponse,
)
from segue.v1.recommendation_service_pb2 import (
    RecommendResponse,
    StreamingRecommendRequest,
    StreamingRecommendResponse,
)

Item = TypeVar("Item")


class Outgoing(Generic[Request]):
    """The messages of one side of a stream, which keeps what went wrong in making them: gRPC would only log it.

    Attributes:
        error: What the making of a message raised, or None.
    """

    def __init__(self, messages: Iterable[Request] | AsyncIterable[Request]) -> None:
        self._messages = messages
        self.error: Exception | None = None

    def __iter__(self) -> Iterator[Request]:
        with self._kept():
            yield from cast("Iterable[Request]", self._messages)

    async def __aiter__(self) -> AsyncGenerator[Request]:
        with self._kept():
            if isinstance(self._messages, AsyncIterable):
                async for message in self._messages:
                    yield message
            else:
                for message in self._messages:
                    yield message

    @contextmanager
    def _kept(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self.error = error
            raise


class Unsent:
    """The seeds of a stream that could not be sent, by their numbers; complete when the stream has ended."""

    def __init__(self) -> None:
        self._seeds: list[tuple[int, SegueError]] = []

    def add(self, number: int, error: SegueError) -> None:
        """Keeps a seed, and what is wrong with it."""
        self._seeds.append((number, error))

    def __iter__(self) -> Iterator[tuple[int, SegueError]]:
        return iter(self._seeds)


@dataclass(frozen=True, slots=True)
class Stream(Generic[Request, Answer]):
    """One call with many messages on both sides.

    Raises:
        ValueError: The timeout is not in (0, 86400] s.
    """

    procedure: Callable[[Stubs], grpc.StreamStreamMultiCallable[Request, Answer]]
    requests: Outgoing[Request]
    timeout: float

    def __post_init__(self) -> None:
        check_timeout(self.timeout)

    def open(self, stubs: Stubs, endpoint: Endpoint) -> grpc.CallIterator[Answer]:
        """Opens it on a plain channel, and sends the requests."""
        return self._open(stubs, endpoint, iter(self.requests))

    def open_async(self, stubs: Stubs, endpoint: Endpoint) -> grpc.aio.StreamStreamCall[Request, Answer]:
        """Opens it on an asyncio channel; the requests are still to be written."""
        call = self._open(stubs, endpoint, cast("Iterator[Request]", None))
        return cast("grpc.aio.StreamStreamCall[Request, Answer]", call)

    def _open(self, stubs: Stubs, endpoint: Endpoint, requests: Iterator[Request]) -> grpc.CallIterator[Answer]:
        return self.procedure(stubs)(
            requests, timeout=self.timeout, wait_for_ready=endpoint.wait_for_ready, metadata=endpoint.metadata
        )

    @contextmanager
    def typed_errors(self, endpoint: Endpoint) -> Iterator[None]:
        """Raises what gRPC raises inside as a SegueError, and what the making of a message raised as it was."""
        try:
            yield
        except (grpc.RpcError, asyncio.CancelledError) as error:
            if self.requests.error:
                raise self.requests.error from None
            if isinstance(error, asyncio.CancelledError):
                raise
            raise from_rpc_error(error, address=endpoint.address, timeout=self.timeout) from error


def streaming_classify(
    chunks: Iterable[bytes] | AsyncIterable[bytes],
    pcm: PcmFormat | None = None,
    top_k: int | None = None,
    read_mask: Iterable[str] | None = None,
    timeout: float = MAX_TIMEOUT,
) -> Stream[StreamingClassifyRequest, StreamingClassifyResponse]:
    """Describes StreamingClassify.

    Raises:
        TypeError: The chunks are bytes, each of which would be taken for a chunk.
    """
    if isinstance(chunks, bytes):
        raise TypeError("chunks are an iterable of bytes, not bytes: send [content], or ask classify")
    config = StreamingClassifyConfig(pcm=pcm, top_k=int32(top_k), read_mask=mask(read_mask))
    first = StreamingClassifyRequest(config=config)
    requests = _mapped([first], chunks, lambda chunk: StreamingClassifyRequest(chunk=chunk))
    return Stream(lambda stubs: stubs.classification.StreamingClassify, Outgoing(requests), timeout)


def streaming_recommend(
    seeds: Iterable[AudioSource | str] | AsyncIterable[AudioSource | str],
    limit: int | None = None,
    read_mask: Iterable[str] | None = None,
    timeout: float = MAX_TIMEOUT,
) -> tuple[Stream[StreamingRecommendRequest, StreamingRecommendResponse], Unsent]:
    """Describes StreamingRecommend, and which seeds were not sent; an item is known by its number.

    Raises:
        TypeError: The seeds are one seed.
    """
    if isinstance(seeds, (str, bytes, os.PathLike)):
        raise TypeError("seeds are an iterable of seeds, not one: send [seed], or ask recommend")
    numbers = itertools.count()
    paths = None if read_mask is None else tuple(read_mask)
    unsent = Unsent()

    def request(seed: AudioSource | str) -> StreamingRecommendRequest | None:
        number = next(numbers)
        try:
            return StreamingRecommendRequest(item_id=str(number), request=recommend(seed, limit, paths).request)
        except SegueError as error:
            unsent.add(number, error)
            return None

    requests = Outgoing(_mapped([], seeds, request))
    return Stream(lambda stubs: stubs.recommendation.StreamingRecommend, requests, timeout), unsent


def outcome(answer: StreamingRecommendResponse) -> tuple[int, RecommendResponse | SegueError]:
    """The number of a seed, from 0, and what came of it."""
    if answer.HasField("status"):
        return int(answer.item_id), from_status(answer.status)
    return int(answer.item_id), answer.response


def _mapped(
    first: Sequence[Request], items: Iterable[Item] | AsyncIterable[Item], make: Callable[[Item], Request | None]
) -> Iterable[Request] | AsyncIterable[Request]:
    """Messages, and behind them one for each item that has one; of the same kind of iterable as the items."""
    if isinstance(items, AsyncIterable):
        return _mapped_async(first, items, make)
    return itertools.chain(first, (message for item in items if (message := make(item)) is not None))


async def _mapped_async(
    first: Sequence[Request], items: AsyncIterable[Item], make: Callable[[Item], Request | None]
) -> AsyncIterator[Request]:
    for opening in first:
        yield opening
    async for item in items:
        if (message := make(item)) is not None:
            yield message
