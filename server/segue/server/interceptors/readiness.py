"""Rejects calls that the server cannot serve now, before their messages are read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import grpc

from segue.core.errors import SegueError
from segue.server.components import DeferredComponents, starting_error
from segue.server.rpc.handlers import Handler, rejecting_handler
from segue.server.rpc.service_names import CLASSIFICATION, SERVICES, service_of


class ReadinessInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[type-arg] # generic in its types alone
    """Rejects calls of Segue's services with STARTING until the components are built.

    Afterwards it rejects classification with OVERLOADED while the queue is full: the bytes of a clip that is rejected
    anyway would take time from the calls that are accepted.
    """

    def __init__(self, components: DeferredComponents) -> None:
        self._components = components

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        """Returns the handler of a call, or one that rejects the call."""
        handler = await continuation(handler_call_details)
        service = service_of(handler_call_details.method)
        # An unknown method has no handler and stays UNIMPLEMENTED; health and reflection are always served.
        if handler is None or service not in SERVICES:
            return handler
        error = self._rejection(service)
        return rejecting_handler(error) if error else handler

    def _rejection(self, service: str) -> SegueError | None:
        components = self._components.value
        if components is None:
            return starting_error()
        return components.engine.rejection() if service == CLASSIFICATION else None
