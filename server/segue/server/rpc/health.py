"""The standard health service, ``grpc.health.v1``.

The servicer of grpcio-health-checking forgets all watchers of a service as soon as one of them leaves, and keeps a
stopping server waiting for its watchers.
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
"""Largest number of concurrent watchers: each keeps a call open for any time, and needs no token."""
_UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


class Health(health_pb2_grpc.HealthServicer):  # type: ignore[misc] # its types leave out the asyncio half
    """The health of each service, and of the server as a whole under the name ""."""

    def __init__(self, services: Collection[str]) -> None:
        """Creates the servicer; every service is NOT_SERVING.

        Args:
            services: full names of the services.
        """
        self._status = dict.fromkeys(("", *services), NOT_SERVING)
        self._read_serving: Callable[[], Mapping[str, bool]] = dict
        self._changed = asyncio.Event()
        self._watchers = ConcurrencyLimit(MAX_WATCHERS, "callers watch the health")
        self._ended = False

    def set_source(self, read_serving: Callable[[], Mapping[str, bool]]) -> None:
        """Sets the source of the health: a quick function that returns True for each service that serves."""
        self._read_serving = read_serving
        self.refresh_status()

    def refresh_status(self) -> None:
        """Reads the health, and wakes the watchers if it has changed."""
        before = self._status
        self._status = before | {
            name: SERVING if serving else NOT_SERVING for name, serving in self._read_serving().items()
        }
        if self._status != before:
            self._wake_watchers()

    def stop_serving(self) -> None:
        """Sets every service to NOT_SERVING for good."""
        self.set_source(lambda: dict.fromkeys(self._status, False))

    def end_watches(self) -> None:
        """Ends the calls of all watchers."""
        self._ended = True
        self._wake_watchers()

    async def Check(  # noqa: N802 - the contract's name
        self, request: health_pb2.HealthCheckRequest, context: Context
    ) -> health_pb2.HealthCheckResponse:
        """Returns the health of a service."""
        if request.service not in self._status:
            await context.abort(grpc.StatusCode.NOT_FOUND, "There is no such service here.")
        self.refresh_status()
        return health_pb2.HealthCheckResponse(status=self._status[request.service])

    async def Watch(  # noqa: N802 - the contract's name
        self, request: health_pb2.HealthCheckRequest, context: Context
    ) -> AsyncIterator[health_pb2.HealthCheckResponse]:
        """Yields the health of a service, at once and after every change."""
        with self._watchers.acquire():
            async for response in self._changes(request.service):
                yield response

    async def _changes(self, service: str) -> AsyncIterator[health_pb2.HealthCheckResponse]:
        sent = None
        while True:
            changed, status = self._changed, self._status.get(service, _UNKNOWN)
            if status != sent:
                yield health_pb2.HealthCheckResponse(status=status)
                sent = status
            elif self._ended:
                return
            else:
                await changed.wait()

    def _wake_watchers(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
