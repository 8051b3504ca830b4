"""Wrapping of gRPC method handlers, and the base of the interceptors that do it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
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


class HandlerInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[type-arg] # generic in its types alone
    """An interceptor that wraps the handler of every known method.

    An unknown method has no handler, and must not become a label of the metrics.
    """

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        """Returns the wrapped handler of a call; see ``wrapped``."""
        handler = await continuation(handler_call_details)
        return handler and self.wrapped(handler, handler_call_details.method)

    @abstractmethod
    def wrapped(self, handler: Handler, name: str) -> Handler:
        """Wraps a handler, which the innermost interceptor has made a stream-stream one.

        Args:
            handler: the handler.
            name: full name of its method.
        """


async def close_reader(messages: AsyncIterator[Any]) -> None:
    """Closes gRPC's reader of messages, a reference cycle that would keep the last message until it is collected."""
    await cast("AsyncGenerator[Any, None]", aiter(messages)).aclose()
