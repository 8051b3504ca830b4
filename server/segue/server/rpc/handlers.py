"""Wrapping of gRPC method handlers, and the base of the interceptors that do it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager, aclosing
from typing import Any, TypeAlias, cast

import grpc

Method = Callable[..., Any]
Context = grpc.aio.ServicerContext[Any, Any]
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


def replace_method(
    handler: Handler,
    wrap: Callable[[Method], Method],
    wrap_stream: Callable[[Method], Method],
    deserialize: Callable[[bytes], Any] | None = None,
) -> Handler:
    """Wraps the method of a stream-unary or stream-stream handler.

    Args:
        handler: the handler.
        wrap: returns the new method for one response, a coroutine function.
        wrap_stream: returns the new method for many responses, an asynchronous generator function.
        deserialize: replaces the request deserializer if it is given.
    """
    serializers = {
        "request_deserializer": deserialize or handler.request_deserializer,
        "response_serializer": handler.response_serializer,
    }
    method: Any = handler.stream_stream if handler.response_streaming else handler.stream_unary
    if handler.response_streaming:
        return grpc.stream_stream_rpc_method_handler(wrap_stream(method), **serializers)
    return grpc.stream_unary_rpc_method_handler(wrap(method), **serializers)


def wrap_handler(handler: Handler, around: Callable[[Context], AbstractContextManager[object]]) -> Handler:
    """Runs each call of a stream-unary or stream-stream handler within a context, which ``around`` returns."""

    def wrap(method: Method) -> Method:
        async def respond(requests: Any, context: Context) -> Any:  # noqa: ANN401 - any method's messages
            with around(context):
                return await method(requests, context)

        return respond

    def wrap_stream(method: Method) -> Method:
        async def respond(requests: Any, context: Context) -> AsyncIterator[Any]:  # noqa: ANN401 - likewise
            with around(context):
                async with aclosing(method(requests, context)) as responses:
                    async for response in responses:
                        yield response

        return respond

    return replace_method(handler, wrap, wrap_stream)


class HandlerInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[type-arg] # generic in its types alone
    """An interceptor that wraps the handler of every known method, once and not for each call.

    An unknown method has no handler, and must not become a label of the metrics.
    """

    def __init__(self) -> None:
        self._wrapped: dict[str, tuple[Handler, Handler]] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        """Returns the wrapped handler of a call; see ``wrapped``."""
        handler, name = await continuation(handler_call_details), handler_call_details.method
        if handler is None:
            return handler
        known, wrapped = self._wrapped.get(name, (None, handler))
        if known is not handler:
            wrapped = self.wrapped(handler, name)
            self._wrapped[name] = handler, wrapped
        return wrapped

    @abstractmethod
    def wrapped(self, handler: Handler, name: str) -> Handler:
        """Wraps a handler, which the innermost interceptor has made a stream-unary or stream-stream one.

        Args:
            handler: the handler.
            name: full name of its method.
        """


class JoinedInterceptors(HandlerInterceptor):
    """Several interceptors as one: gRPC asks each of its interceptors for every call."""

    def __init__(self, *interceptors: HandlerInterceptor) -> None:
        """Joins interceptors, the outermost first."""
        super().__init__()
        self._interceptors = interceptors

    def wrapped(self, handler: Handler, name: str) -> Handler:
        """Wraps a handler with each interceptor, the innermost first."""
        for interceptor in reversed(self._interceptors):
            handler = interceptor.wrapped(handler, name)
        return handler


async def close_reader(messages: AsyncIterator[Any]) -> None:
    """Closes gRPC's reader of messages, a reference cycle that would keep the last message until it is collected."""
    await cast("AsyncGenerator[Any, None]", aiter(messages)).aclose()
