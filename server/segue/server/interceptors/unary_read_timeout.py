"""Reads the message of a unary call as the only one of a stream.

gRPC leaves a unary call alone whose message never comes, or whose caller ends without one: nobody is told anything, and
its place is taken for as long as its caller likes, be it a call that needs no token.
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

MESSAGE_SECONDS = 300.0
"""How long the message of a unary call may take to come: 16 MiB at half a megabit a second."""


class UnaryReadInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[type-arg] # generic in its types alone
    """Answers a call without a message by a status; to be the innermost interceptor."""

    def __init__(self, most: int, open_: str) -> None:
        """Takes how many messages may be waited for, each may hold 32 MiB, and a service without that limit."""
        self._places = ConcurrencyLimit(most, "messages are coming")
        self._open = open_

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        """Wraps the handler of a call with one message; one of a stream of them is as it was."""
        handler = await continuation(handler_call_details)
        if handler is None or handler.request_streaming:
            return handler
        free = handler_call_details.method.startswith(f"/{self._open}/")
        return _streaming(handler, _only if free else self._only)

    async def _only(self, requests: AsyncIterator[Any]) -> Any:  # noqa: ANN401 - any method's message
        with self._places.acquire():
            return await _only(requests)


def _streaming(handler: Handler, only: Callable[[AsyncIterator[Any]], Awaitable[Any]]) -> Handler:
    one, many = cast("tuple[Any, Any]", (handler.unary_unary, handler.unary_stream))

    async def answer(requests: AsyncIterator[Any], context: Context) -> AsyncIterator[Any]:
        yield await one(await only(requests), context)

    async def answers(requests: AsyncIterator[Any], context: Context) -> AsyncIterator[Any]:
        async with aclosing(many(await only(requests), context)) as messages:
            async for message in messages:
                yield message

    # To the caller there is no difference.
    return grpc.stream_stream_rpc_method_handler(
        answer if one else answers,
        request_deserializer=handler.request_deserializer,
        response_serializer=handler.response_serializer,
    )


async def _only(requests: AsyncIterator[Any]) -> Any:  # noqa: ANN401 - any method's message
    """The message of a call.

    Raises:
        MalformedRequest: there is none.
        StreamStalled: it has not come within ``MESSAGE_SECONDS``.
    """
    try:
        async with asyncio.timeout(MESSAGE_SECONDS):
            return await anext(requests)
    except StopAsyncIteration:
        cause = "The call ended before its message was here. Send a whole one, be it empty."
        raise MalformedRequest("request", cause) from None
    except TimeoutError:
        raise StreamStalled(f"The message did not come within {MESSAGE_SECONDS:g} s. Send it without pauses.") from None
    finally:
        await close_reader(requests)
