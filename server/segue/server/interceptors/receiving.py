"""Reads the messages of calls: with a time limit, and within a budget of memory.

gRPC waits without limit for the message of a unary call, and never answers a call that its caller ends without one.
Such a call would occupy its slot, and memory for its message, for as long as its caller likes. So the message is read
as the only one of a stream.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any, NamedTuple, cast

import grpc

from segue.core.errors import MalformedRequest, StreamStalled
from segue.server.callers.receive_budget import ReceiveBudget
from segue.server.rpc import health
from segue.server.rpc.handlers import Context, Handler, HandlerInterceptor, Method, close_reader, wrap_handler
from segue.server.rpc.service_names import service_of

MESSAGE_SECONDS = 300.0
"""Longest time in which the message of a unary call must arrive: 16 MiB at half a megabit per second."""

HEALTH_SECONDS = 5.0
"""The same for health, whose messages have a few bytes."""

HEALTH_MESSAGES = 8
"""Largest number of messages of health that may arrive at once. They need no token, and a hostile one may be large."""


class Reading(NamedTuple):
    """Limits on the reading of messages.

    Attributes:
        budget: memory for messages that are arriving.
        seconds: longest time in which the message of a unary call must arrive.
    """

    budget: ReceiveBudget
    seconds: float


class ReceivingInterceptor(HandlerInterceptor):
    """Ends a call whose messages do not arrive, or find no memory; must be the innermost interceptor.

    It makes every handler one of streams, so that the others need to wrap only that kind.
    """

    def __init__(self, reading: Reading) -> None:
        """Creates the interceptor.

        Args:
            reading: limits for all services but health.
        """
        self._reading = reading
        self._health = Reading(ReceiveBudget(HEALTH_MESSAGES), HEALTH_SECONDS)

    def wrapped(self, handler: Handler, name: str) -> Handler:
        """Reads the message of a call with one; the handler of a stream reads its messages itself."""
        reading = self._health if service_of(name) == health.SERVICE else self._reading
        if not handler.request_streaming:
            return _streaming(handler, reading)
        streaming = handler if handler.response_streaming else _with_one_response(handler)
        return wrap_handler(streaming, lambda method: _within_budget(method, reading.budget))


async def _read(requests: AsyncIterator[Any], reading: Reading) -> Any:  # noqa: ANN401 - any method's message
    """Returns the only message of a call.

    Raises:
        MalformedRequest: the call has no message.
        Overloaded: there is no memory for it.
        StreamStalled: the message did not arrive in time.
    """
    try:
        with reading.budget.receiving():
            async with asyncio.timeout(reading.seconds):
                return await anext(requests)
    except StopAsyncIteration:
        cause = "The call ended without a message. Send one, even if it is empty."
        raise MalformedRequest("request", cause) from None
    except TimeoutError:
        text = f"The message did not arrive within {reading.seconds:g} s. Send it without pauses."
        raise StreamStalled(text) from None
    finally:
        await close_reader(requests)


def _within_budget(method: Method, budget: ReceiveBudget) -> Method:
    async def respond(requests: AsyncIterator[Any], context: Context) -> AsyncIterator[Any]:
        with budget.receiving():
            async with aclosing(method(requests, context)) as responses:
                async for response in responses:
                    yield response

    return respond


def _with_one_response(handler: Handler) -> Handler:
    respond_once = cast("Any", handler.stream_unary)

    async def respond(requests: AsyncIterator[Any], context: Context) -> AsyncIterator[Any]:
        yield await respond_once(requests, context)

    return grpc.stream_stream_rpc_method_handler(
        respond,
        request_deserializer=handler.request_deserializer,
        response_serializer=handler.response_serializer,
    )


def _streaming(handler: Handler, reading: Reading) -> Handler:
    unary, stream = cast("tuple[Any, Any]", (handler.unary_unary, handler.unary_stream))

    async def respond(requests: AsyncIterator[Any], context: Context) -> AsyncIterator[Any]:
        yield await unary(await _read(requests, reading), context)

    async def respond_many(requests: AsyncIterator[Any], context: Context) -> AsyncIterator[Any]:
        async with aclosing(stream(await _read(requests, reading), context)) as responses:
            async for response in responses:
                yield response

    # To a caller, a stream-stream handler behaves like any other kind.
    return grpc.stream_stream_rpc_method_handler(
        respond if unary else respond_many,
        request_deserializer=handler.request_deserializer,
        response_serializer=handler.response_serializer,
    )
