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
from segue.server.rpc.handlers import Context, Handler, HandlerInterceptor, wrap_handler
from segue.server.rpc.service_names import service_of

MESSAGE_SECONDS = 300.0
"""Longest time in which the message of a unary call must arrive: 16 MiB at half a megabit per second."""

HEALTH_SECONDS = 5.0
"""The same for health, whose messages have a few bytes."""

HEALTH_MESSAGES = 8
"""Largest number of messages of health that may arrive at once. They need no token, and a hostile one may be large."""

_EOF: Any = grpc.aio.EOF  # type: ignore[attr-defined] # the stubs lack it


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

    It makes every handler one that reads a stream, so that the others need to wrap only those two kinds.
    """

    def __init__(self, reading: Reading) -> None:
        """Creates the interceptor.

        Args:
            reading: limits for all services but health.
        """
        super().__init__()
        self._reading = reading
        self._health = Reading(ReceiveBudget(HEALTH_MESSAGES), HEALTH_SECONDS)

    def wrapped(self, handler: Handler, name: str) -> Handler:
        """Reads the message of a call with one; the handler of a stream reads its messages itself."""
        reading = self._health if service_of(name) == health.SERVICE else self._reading
        if not handler.request_streaming:
            return _streaming(handler, reading)
        return wrap_handler(handler, lambda _: reading.budget.receiving())


async def _read(context: Context, reading: Reading) -> Any:  # noqa: ANN401 - any method's message
    """Returns the only message of a call.

    Raises:
        MalformedRequest: the call has no message.
        Overloaded: there is no memory for it.
        StreamStalled: the message did not arrive in time.
    """
    try:
        with reading.budget.receiving():
            async with asyncio.timeout(reading.seconds):
                message = await context.read()
    except TimeoutError:
        text = f"The message did not arrive within {reading.seconds:g} s. Send it without pauses."
        raise StreamStalled(text) from None
    if message is _EOF:
        raise MalformedRequest("request", "The call ended without a message. Send one, even if it is empty.")
    return message


def _streaming(handler: Handler, reading: Reading) -> Handler:
    """Makes a handler of one message one of streams: to a caller, it behaves like any other kind."""
    unary, stream = cast("tuple[Any, Any]", (handler.unary_unary, handler.unary_stream))

    async def respond(_: AsyncIterator[Any], context: Context) -> Any:  # noqa: ANN401 - any method's messages
        return await unary(await _read(context, reading), context)

    async def respond_many(_: AsyncIterator[Any], context: Context) -> AsyncIterator[Any]:
        async with aclosing(stream(await _read(context, reading), context)) as responses:
            async for response in responses:
                yield response

    serializers = {
        "request_deserializer": handler.request_deserializer,
        "response_serializer": handler.response_serializer,
    }
    if handler.response_streaming:
        return grpc.stream_stream_rpc_method_handler(respond_many, **serializers)
    # The only response leaves together with the status, in one step of gRPC and not in three.
    return grpc.stream_unary_rpc_method_handler(respond, **serializers)
