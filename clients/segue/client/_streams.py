"""The streaming calls of the contract, built once for both kinds of client."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

import grpc

from segue.client._audio import AudioSource
from segue.client._calls import clamp_int32, field_mask, recommend
from segue.client._endpoint import MAX_TIMEOUT, Endpoint, Request, Response, Stubs, check_timeout
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


class RequestMessages(Generic[Request]):
    """The requests of a stream, synchronous or asynchronous.

    It keeps the exception that ends the iteration, since gRPC only logs it.

    Attributes:
        error: the exception, or None.
    """

    def __init__(self, messages: Iterable[Request] | AsyncIterable[Request]) -> None:
        self._messages = messages
        self.error: Exception | None = None

    def __iter__(self) -> Iterator[Request]:
        with self._keeping_error():
            yield from cast("Iterable[Request]", self._messages)

    async def __aiter__(self) -> AsyncGenerator[Request]:
        with self._keeping_error():
            if isinstance(self._messages, AsyncIterable):
                async for message in self._messages:
                    yield message
            else:
                for message in self._messages:
                    yield message

    @contextmanager
    def _keeping_error(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self.error = error
            raise


class UnsentSeeds:
    """The seeds of a stream that could not be sent, with their errors; complete when the stream has ended."""

    def __init__(self) -> None:
        self._errors: list[tuple[int, SegueError]] = []

    def add(self, number: int, error: SegueError) -> None:
        """Adds the number of a seed and its error."""
        self._errors.append((number, error))

    def __iter__(self) -> Iterator[tuple[int, SegueError]]:
        return iter(self._errors)


@dataclass(frozen=True, slots=True)
class Stream(Generic[Request, Response]):
    """A streaming call that is ready to open.

    Attributes:
        method: selects the method of the stubs.
        requests: the messages to send.
        timeout: time limit of the whole stream in seconds, (0, 86400].

    Raises:
        ValueError: the timeout is out of range.
    """

    method: Callable[[Stubs], grpc.StreamStreamMultiCallable[Request, Response]]
    requests: RequestMessages[Request]
    timeout: float

    def __post_init__(self) -> None:
        check_timeout(self.timeout)

    def open(self, stubs: Stubs, endpoint: Endpoint) -> grpc.CallIterator[Response]:
        """Opens the stream on a synchronous channel; gRPC sends the requests."""
        return self._open(stubs, endpoint, iter(self.requests))

    def open_async(self, stubs: Stubs, endpoint: Endpoint) -> grpc.aio.StreamStreamCall[Request, Response]:
        """Opens the stream on an asyncio channel; the caller writes the requests."""
        call = self._open(stubs, endpoint, cast("Iterator[Request]", None))
        return cast("grpc.aio.StreamStreamCall[Request, Response]", call)

    def _open(self, stubs: Stubs, endpoint: Endpoint, requests: Iterator[Request]) -> grpc.CallIterator[Response]:
        return self.method(stubs)(
            requests, timeout=self.timeout, wait_for_ready=endpoint.wait_for_ready, metadata=endpoint.metadata
        )

    @contextmanager
    def typed_errors(self, endpoint: Endpoint) -> Iterator[None]:
        """Turns gRPC's errors inside the block into a SegueError, or into the exception that ended the requests."""
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
    """Builds a StreamingClassify call.

    Raises:
        TypeError: the chunks are bytes, whose elements are no chunks.
    """
    if isinstance(chunks, bytes):
        raise TypeError("chunks are an iterable of bytes, not bytes: send [content], or call classify")
    config = StreamingClassifyConfig(pcm=pcm, top_k=clamp_int32(top_k), read_mask=field_mask(read_mask))
    first = StreamingClassifyRequest(config=config)
    requests = _map([first], chunks, lambda chunk: StreamingClassifyRequest(chunk=chunk))
    return Stream(lambda stubs: stubs.classification.StreamingClassify, RequestMessages(requests), timeout)


def streaming_recommend(
    seeds: Iterable[AudioSource | str] | AsyncIterable[AudioSource | str],
    limit: int | None = None,
    read_mask: Iterable[str] | None = None,
    timeout: float = MAX_TIMEOUT,
) -> tuple[Stream[StreamingRecommendRequest, StreamingRecommendResponse], UnsentSeeds]:
    """Builds a StreamingRecommend call, and a list for the seeds that cannot be sent; the item ids are numbers.

    Raises:
        TypeError: the seeds are a single seed.
    """
    if isinstance(seeds, (str, bytes, os.PathLike)):
        raise TypeError("seeds are an iterable of seeds, not one seed: send [seed], or call recommend")
    numbers = itertools.count()
    paths = None if read_mask is None else tuple(read_mask)
    unsent = UnsentSeeds()

    def make_request(seed: AudioSource | str) -> StreamingRecommendRequest | None:
        number = next(numbers)
        try:
            return StreamingRecommendRequest(item_id=str(number), request=recommend(seed, limit, paths).request)
        except SegueError as error:
            unsent.add(number, error)
            return None

    requests = RequestMessages(_map([], seeds, make_request))
    return Stream(lambda stubs: stubs.recommendation.StreamingRecommend, requests, timeout), unsent


def numbered_outcome(response: StreamingRecommendResponse) -> tuple[int, RecommendResponse | SegueError]:
    """Returns the number of a seed, from 0, with its recommendations or its error."""
    if response.HasField("status"):
        return int(response.item_id), from_status(response.status)
    return int(response.item_id), response.response


def _map(
    first: Sequence[Request], items: Iterable[Item] | AsyncIterable[Item], make: Callable[[Item], Request | None]
) -> Iterable[Request] | AsyncIterable[Request]:
    """Returns the first messages and then one for each item, except None; asynchronous if the items are."""
    if isinstance(items, AsyncIterable):
        return _map_async(first, items, make)
    return itertools.chain(first, (message for item in items if (message := make(item)) is not None))


async def _map_async(
    first: Sequence[Request], items: AsyncIterable[Item], make: Callable[[Item], Request | None]
) -> AsyncIterator[Request]:
    for message in first:
        yield message
    async for item in items:
        if (made := make(item)) is not None:
            yield made
