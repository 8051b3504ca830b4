"""Streaming calls that are ready to open, and the requests that they send."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Generic, cast

import grpc

from segue.client._endpoint import Endpoint, Request, Response, Stubs, check_timeout
from segue.client._error_mapping import from_rpc_error
from segue.client._spans import Metadata
from segue.v1.recommendation_service_pb2 import (
    RecommendUploadRequest,
    RecommendUploadResponse,
)


class RequestMessages(Generic[Request]):
    """The requests of a stream, synchronous or asynchronous.

    It keeps the exception that ends the iteration, since gRPC only logs it.

    Attributes:
        kind: their type.
        error: the exception, or None.
    """

    def __init__(self, kind: type[Request], messages: Iterable[Request] | AsyncIterable[Request]) -> None:
        self.kind = kind
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


@dataclass(frozen=True, slots=True)
class Stream(Generic[Request, Response]):
    """A streaming call that is ready to open.

    Attributes:
        method: selects the method of the stubs.
        requests: the messages to send.
        timeout: time limit of the whole stream in seconds, (0, 86400].
        waits: False if it fails at once where no server is there, although the endpoint waits.

    Raises:
        ValueError: the timeout is out of range.
    """

    method: Callable[[Stubs], grpc.StreamStreamMultiCallable[Request, Response]]
    requests: RequestMessages[Request]
    timeout: float
    waits: bool = True

    def __post_init__(self) -> None:
        check_timeout(self.timeout)

    def open(self, stubs: Stubs, endpoint: Endpoint, trace: Metadata) -> grpc.CallIterator[Response]:
        """Opens the stream on a synchronous channel, with the metadata of its span; gRPC sends the requests."""
        return self._open(stubs, endpoint, trace, iter(self.requests))

    def open_async(
        self, stubs: Stubs, endpoint: Endpoint, trace: Metadata
    ) -> grpc.aio.StreamStreamCall[Request, Response]:
        """Opens the stream on an asyncio channel, with the metadata of its span; the caller writes the requests."""
        call = self._open(stubs, endpoint, trace, cast("Iterator[Request]", None))
        return cast("grpc.aio.StreamStreamCall[Request, Response]", call)

    def _open(
        self, stubs: Stubs, endpoint: Endpoint, trace: Metadata, requests: Iterator[Request]
    ) -> grpc.CallIterator[Response]:
        return self.method(stubs)(
            requests,
            timeout=self.timeout,
            wait_for_ready=endpoint.wait_for_ready and self.waits,
            metadata=(*endpoint.metadata, *trace),
        )

    def typed_errors(self, endpoint: Endpoint) -> AbstractContextManager[None]:
        """Turns gRPC's errors inside the block into a SegueError, or into the exception that ended the requests."""
        return typed_stream_errors(self.requests, endpoint, self.timeout)


@contextmanager
def typed_stream_errors(requests: RequestMessages[Request], endpoint: Endpoint, timeout: float) -> Iterator[None]:
    """Turns gRPC's errors inside the block into a SegueError, or into the exception that ended the requests."""
    try:
        yield
    except (grpc.RpcError, asyncio.CancelledError) as error:
        if requests.error:
            raise requests.error from None
        if isinstance(error, asyncio.CancelledError):
            raise
        raise from_rpc_error(error, address=endpoint.address, timeout=timeout) from error


@dataclass(frozen=True)
class RecommendUpload:
    """A RecommendUpload call that is ready to send.

    Attributes:
        requests: the messages to send.
        timeout: time limit of the call in seconds.
    """

    requests: RequestMessages[RecommendUploadRequest]
    timeout: float

    def send(self, stubs: Stubs, endpoint: Endpoint, trace: Metadata) -> RecommendUploadResponse:
        """Sends the call on a synchronous channel, with the metadata of its span."""
        return stubs.recommendation.RecommendUpload(
            iter(self.requests), timeout=self.timeout, metadata=(*endpoint.metadata, *trace)
        )

    async def send_async(self, stubs: Stubs, endpoint: Endpoint, trace: Metadata) -> RecommendUploadResponse:
        """Sends the call on an asyncio channel, with the metadata of its span."""
        method = cast("Any", stubs.recommendation.RecommendUpload)
        response = await method(aiter(self.requests), timeout=self.timeout, metadata=(*endpoint.metadata, *trace))
        return cast("RecommendUploadResponse", response)

    def typed_errors(self, endpoint: Endpoint) -> AbstractContextManager[None]:
        """Turns gRPC's errors inside the block into a SegueError, or into the exception that ended the requests."""
        return typed_stream_errors(self.requests, endpoint, self.timeout)
