"""Services that come after their port, and whose calls may be refused before their messages are read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, cast

import grpc

from segue.core.errors import SegueError, Starting
from segue.server.rpc.handlers import refusing

Refusal = Callable[[str], SegueError | None]
"""Answers why a method, by its full name, is not answered now, or None where it is."""


def _starting(_method: str) -> SegueError:
    return Starting("The server is starting: it loads its model and its catalogue. Try again in a second.")


class LateServices(grpc.GenericRpcHandler):  # type: ignore[type-arg] # generic in its types alone
    """Stands for services in a server that is started before they can be made; until then each call is STARTING."""

    def __init__(self, names: Collection[str]) -> None:
        """Takes the full names of the services; the methods of all others are left to other handlers."""
        self._names = frozenset(names)
        self._handlers: list[grpc.GenericRpcHandler[Any, Any]] = []
        self._refusal: Refusal = _starting

    def arrive(self, add_services: Callable[[grpc.aio.Server], None], refusal: Refusal) -> None:
        """Answers by the services that ``add_services`` adds, from now on.

        Args:
            add_services: calls the generated ``add_..._to_server`` of each service on what it is given.
            refusal: asked before the message of a call is read, in the event loop.
        """
        # gRPC takes no handlers once a server is started, so the generated code adds them here.
        add_services(cast("grpc.aio.Server", self))
        self._refusal = refusal

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
        """Finds what answers a call, or None where it is a call of no service of these."""
        method = handler_call_details.method
        if method.strip("/").partition("/")[0] not in self._names:
            return None
        if error := self._refusal(method):
            return refusing(error)
        found = (handler.service(handler_call_details) for handler in self._handlers)
        return next((handler for handler in found if handler), None)

    def add_generic_rpc_handlers(self, handlers: Sequence[grpc.GenericRpcHandler[Any, Any]]) -> None:
        """Takes the handlers of a service; for generated code."""
        self._handlers += handlers

    def add_registered_method_handlers(self, service: str, handlers: object) -> None:
        """Takes the same handlers another way, which asyncio servers do not need; for generated code."""
