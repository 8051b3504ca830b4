"""Method handlers of gRPC, wrapped or made to refuse."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any, TypeAlias, cast

import grpc

Method = Callable[..., Any]
Context = grpc.aio.ServicerContext[Any, Any]
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


def wrap_handler(
    handler: Handler, wrap: Callable[[Method], Method], read: Callable[[bytes], Any] | None = None
) -> Handler:
    """A handler of streams like another, its method wrapped, and its messages read by ``read`` where that is given."""
    method: Any = handler.stream_stream
    return grpc.stream_stream_rpc_method_handler(
        wrap(method),
        request_deserializer=read or handler.request_deserializer,
        response_serializer=handler.response_serializer,
    )


def rejecting_handler(error: Exception) -> Handler:
    """A handler that raises an error whatever is called, and reads nothing of what was sent."""

    async def refuse(_requests: AsyncIterator[bytes], _context: Context) -> AsyncIterator[bytes]:
        raise error
        yield b""

    # A stream on both sides is right for a call of any kind.
    return grpc.stream_stream_rpc_method_handler(refuse)


async def close_reader(messages: AsyncIterator[Any]) -> None:
    """Ends the reading of messages: gRPC's own reader is a cycle, and holds the last one until it is collected."""
    await cast("AsyncGenerator[Any, None]", aiter(messages)).aclose()
