"""The standard health service, ``grpc.health.v1``.

The one of grpcio-health-checking forgets all who watch a service as soon as one of them leaves, and a server that stops
waits for those who watch it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from segue.server.rpc.concurrency_limit import ConcurrencyLimit
from segue.server.rpc.handlers import Context

SERVICE = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
MAX_WATCHERS = 128
"""How many may watch at once: whoever watches holds a call for as long as it likes, and needs no token."""
_UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


class Health(health_pb2_grpc.HealthServicer):  # type: ignore[misc] # its types leave out the asyncio half
    """What is known of the health of each service, and of the server as a whole, whose name is ""."""

    def __init__(self, services: Collection[str]) -> None:
        """Takes the full names of the services; none serves yet."""
        self._status = dict.fromkeys(("", *services), NOT_SERVING)
        self._look: Callable[[], Mapping[str, bool]] = dict
        self._changed = asyncio.Event()
        self._watching = ConcurrencyLimit(MAX_WATCHERS, "callers watch the health")
        self._ended = False

    def follow(self, look: Callable[[], Mapping[str, bool]]) -> None:
        """Takes what tells, at no cost, whether each service serves now."""
        self._look = look
        self.refresh_status()

    def refresh_status(self) -> None:
        """Notes whether services serve, and tells those who watch; whoever asks has it looked at anyway."""
        told = self._status
        self._status = told | {name: SERVING if well else NOT_SERVING for name, well in self._look().items()}
        if self._status != told:
            self._wake()

    def stop(self) -> None:
        """Says of every service that it does not serve, for good."""
        self.follow(lambda: dict.fromkeys(self._status, False))

    def end(self) -> None:
        """Ends the calls of all who watch."""
        self._ended = True
        self._wake()

    async def Check(  # noqa: N802 - the contract's name
        self, request: health_pb2.HealthCheckRequest, context: Context
    ) -> health_pb2.HealthCheckResponse:
        """Tells how a service is."""
        if request.service not in self._status:
            await context.abort(grpc.StatusCode.NOT_FOUND, "There is no such service here.")
        self.refresh_status()
        return health_pb2.HealthCheckResponse(status=self._status[request.service])

    async def Watch(  # noqa: N802 - the contract's name
        self, request: health_pb2.HealthCheckRequest, context: Context
    ) -> AsyncIterator[health_pb2.HealthCheckResponse]:
        """Tells how a service is, at once and whenever that changes."""
        with self._watching.acquire():
            async for answer in self._changes(request.service):
                yield answer

    async def _changes(self, service: str) -> AsyncIterator[health_pb2.HealthCheckResponse]:
        told = None
        while True:
            changed, status = self._changed, self._status.get(service, _UNKNOWN)
            if status != told:
                yield health_pb2.HealthCheckResponse(status=status)
                told = status
            elif self._ended:
                return
            else:
                await changed.wait()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
