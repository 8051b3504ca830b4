"""Rejects calls that the server cannot serve now, before their messages are read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from segue.server.components import DeferredComponents
from segue.server.rpc.handlers import Handler, HandlerInterceptor, wrap_handler
from segue.server.rpc.service_names import CLASSIFICATION, SERVICES, service_of


class ReadinessInterceptor(HandlerInterceptor):
    """Rejects calls of Segue's services with STARTING until the components are built.

    Afterwards it rejects classification that would not be admitted: the bytes of a clip that is rejected anyway would
    take time from the calls that are accepted. It runs inside ``CallerInterceptor``.
    """

    def __init__(self, components: DeferredComponents) -> None:
        super().__init__()
        self._components = components

    def wrapped(self, handler: Handler, name: str) -> Handler:
        """Checks each call of Segue's services; health and reflection are always served."""
        service = service_of(name)
        if service not in SERVICES:
            return handler
        return wrap_handler(handler, lambda _: self._with_check(service))

    @contextmanager
    def _with_check(self, service: str) -> Iterator[None]:
        with self._components.using() as components:
            if service == CLASSIFICATION:
                components.engine.check_admission()
            yield
