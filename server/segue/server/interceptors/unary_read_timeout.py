"""Reads the message of a unary call with a time limit.

gRPC waits without limit for the message of a unary call, and never answers a call that its caller ends without one.
Such a call would occupy its slot for as long as its caller likes, even without a token. So the message is read as the
only one of a stream.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, cast

import grpc

from segue.core.errors import MalformedRequest, StreamStalled
from segue.server.rpc.concurrency_limit import ConcurrencyLimit
from segue.server.rpc.handlers import Context, Handler, close_reader
from segue.server.rpc.service_names import service_of

MESSAGE_SECONDS = 300.0
"""Longest time in which the message of a unary call must arrive: 16 MiB at half a megabit per second."""


class UnaryReadInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[type-arg] # generic in its types alone
    """Ends a unary call whose message does not arrive; must be the innermost interceptor.

    It makes every handler one of streams, so that the others need to wrap only that kind.
    """

    def __init__(self, max_messages: int, exempt_service: str, seconds: float = MESSAGE_SECONDS) -> None:
        """Creates the interceptor.

        Args:
            max_messages: largest number of messages that may arrive at once; each may hold 32 MiB.
            exempt_service: full name of a service without that limit.
            seconds: longest time in which a message must arrive.
        """
        self._arriving = ConcurrencyLimit(max_messages, "messages are arriving")
        self._exempt_service = exempt_service
        self._seconds = seconds

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        """Wraps the handler of a call with one message; the handler of a stream reads its messages itself."""
        handler = await continuation(handler_call_details)
        if handler is None or handler.request_streaming:
            return handler if handler is None or handler.response_streaming else _with_one_response(handler)
        exempt = service_of(handler_call_details.method) == self._exempt_service
        return _streaming(handler, self._read if exempt else self._read_within_limit)

    async def _read_within_limit(self, requests: AsyncIterator[Any]) -> Any:  # noqa: ANN401 - any method's message
        with self._arriving.acquire():
            return await self._read(requests)

    async def _read(self, requests: AsyncIterator[Any]) -> Any:  # noqa: ANN401 - any method's message
        """Returns the only message of a call.

        Raises:
            MalformedRequest: the call has no message.
            StreamStalled: the message did not arrive in time.
        """
        try:
            async with asyncio.timeout(self._seconds):
                return await anext(requests)
        except StopAsyncIteration:
            cause = "The call ended without a message. Send one, even if it is empty."
            raise MalformedRequest("request", cause) from None
        except TimeoutError:
            text = f"The message did not arrive within {self._seconds:g} s. Send it without pauses."
            raise StreamStalled(text) from None
        finally:
            await close_reader(requests)


def _with_one_response(handler: Handler) -> Handler:
    respond_once = cast("Any", handler.stream_unary)

    async def respond(requests: AsyncIterator[Any], context: Context) -> AsyncIterator[Any]:
        yield await respond_once(requests, context)

    return grpc.stream_stream_rpc_method_handler(
        respond,
        request_deserializer=handler.request_deserializer,
        response_serializer=handler.response_serializer,
    )


def _streaming(handler: Handler, read: Callable[[AsyncIterator[Any]], Awaitable[Any]]) -> Handler:
    unary, stream = cast("tuple[Any, Any]", (handler.unary_unary, handler.unary_stream))

    async def respond(requests: AsyncIterator[Any], context: Context) -> AsyncIterator[Any]:
        yield await unary(await read(requests), context)

    async def respond_many(requests: AsyncIterator[Any], context: Context) -> AsyncIterator[Any]:
        async with aclosing(stream(await read(requests), context)) as responses:
            async for response in responses:
                yield response

    # To a caller, a stream-stream handler behaves like any other kind.
    return grpc.stream_stream_rpc_method_handler(
        respond if unary else respond_many,
        request_deserializer=handler.request_deserializer,
        response_serializer=handler.response_serializer,
    )
