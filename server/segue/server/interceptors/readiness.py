"""Rejects calls that the server cannot serve now, before their messages are read."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from segue.server.components import DeferredComponents
from segue.server.rpc.handlers import Context, Handler, HandlerInterceptor, Method, wrap_handler
from segue.server.rpc.service_names import CLASSIFICATION, SERVICES, service_of


class ReadinessInterceptor(HandlerInterceptor):
    """Rejects calls of Segue's services with STARTING until the components are built.

    Afterwards it rejects classification that would not be admitted: the bytes of a clip that is rejected anyway would
    take time from the calls that are accepted. It runs inside ``CallerInterceptor``.
    """

    def __init__(self, components: DeferredComponents) -> None:
        self._components = components

    def wrapped(self, handler: Handler, name: str) -> Handler:
        """Checks each call of Segue's services; health and reflection are always served."""
        service = service_of(name)
        if service not in SERVICES:
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
