"""The standard reflection service with limits: it lists the services to callers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection

import grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2, reflection_pb2_grpc

from segue.server.rpc.concurrency_limit import ConcurrencyLimit
from segue.server.rpc.handlers import Context
from segue.server.rpc.streams import MAX_STREAMS, with_idle_timeout


def add_reflection(services: Collection[str], server: grpc.aio.Server) -> None:
    """Adds the reflection service to a server.

    Args:
        services: full names of the services that it lists, beyond itself.
        server: the server.
    """
    servicer = _BoundedReflection((*services, reflection.SERVICE_NAME))
    reflection_pb2_grpc.add_ServerReflectionServicer_to_server(servicer, server)


class _BoundedReflection(reflection.aio.ReflectionServicer):  # type: ignore[misc, name-defined] # its types leave out the asyncio half
    """The servicer of grpcio-reflection with limits on the number and the duration of its streams."""

    def __init__(self, services: Collection[str]) -> None:
        super().__init__(services)
        self._streams = ConcurrencyLimit(MAX_STREAMS, "streams are open")

    async def ServerReflectionInfo(  # noqa: N802 - the contract's name
        self, request_iterator: AsyncIterator[reflection_pb2.ServerReflectionRequest], context: Context
    ) -> AsyncIterator[reflection_pb2.ServerReflectionResponse]:
        """Answers each request."""
        with self._streams.acquire():
            async for response in super().ServerReflectionInfo(with_idle_timeout(request_iterator), context):
                yield response
