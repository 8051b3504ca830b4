"""Rejects calls that the server cannot serve now, before their messages are read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

import grpc

from segue.server.components import DeferredComponents
from segue.server.rpc.handlers import Context, Handler, Method, wrap_handler
from segue.server.rpc.service_names import CLASSIFICATION, SERVICES, service_of


class ReadinessInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[type-arg] # generic in its types alone
    """Rejects calls of Segue's services with STARTING until the components are built.

    Afterwards it rejects classification that would not be admitted: the bytes of a clip that is rejected anyway would
    take time from the calls that are accepted. It runs inside ``CallerInterceptor``.
    """

    def __init__(self, components: DeferredComponents) -> None:
        self._components = components

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        """Wraps the handler, which ``ReceivingInterceptor`` has made a stream-stream one."""
        handler = await continuation(handler_call_details)
        service = service_of(handler_call_details.method)
        # An unknown method has no handler and stays UNIMPLEMENTED; health and reflection are always served.
        if handler is None or service not in SERVICES:
            return handler
        return wrap_handler(handler, lambda method: self._with_check(method, service))

    def _with_check(self, method: Method, service: str) -> Method:
        async def stream(requests: Any, context: Context) -> AsyncIterator[Any]:  # noqa: ANN401 - any method's messages
            with self._components.using() as components:
                if service == CLASSIFICATION:
                    components.engine.check_admission()
                async with aclosing(method(requests, context)) as responses:
                    async for response in responses:
                        yield response

        return stream
