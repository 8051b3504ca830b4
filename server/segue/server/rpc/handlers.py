"""Wrapping of gRPC method handlers."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any, TypeAlias, cast

import grpc

Method = Callable[..., Any]
Context = grpc.aio.ServicerContext[Any, Any]
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


def wrap_handler(
    handler: Handler, wrap: Callable[[Method], Method], deserialize: Callable[[bytes], Any] | None = None
) -> Handler:
    """Wraps the method of a stream-stream handler.

    Args:
        handler: the handler.
        wrap: returns the new method.
        deserialize: replaces the request deserializer if it is given.
    """
    method: Any = handler.stream_stream
    return grpc.stream_stream_rpc_method_handler(
        wrap(method),
        request_deserializer=deserialize or handler.request_deserializer,
        response_serializer=handler.response_serializer,
    )


async def close_reader(messages: AsyncIterator[Any]) -> None:
    """Closes gRPC's reader of messages, a reference cycle that would keep the last message until it is collected."""
    await cast("AsyncGenerator[Any, None]", aiter(messages)).aclose()
