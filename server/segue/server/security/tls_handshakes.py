"""TLS handshakes that failed. gRPC tells nobody of them, so they are those that began less those that stand."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Collection
from typing import cast

import grpc
from grpc_channelz.v1 import channelz_pb2
from grpc_channelz.v1.channelz import ChannelzServicer  # type: ignore[attr-defined] # its types leave it out

from segue.server.observability.call_record import Ended
from segue.server.observability.metrics import Metrics

PATIENCE_SECONDS = 5.0
"""How long a handshake may take before it counts as failed."""

OPTION = ("grpc.enable_channelz", 1)
"""What a server must be made with for ``standing_connections`` to see anything."""

_LOOK_SECONDS = 1.0
# What is more within the time that is waited for a handshake is counted as begun alone.
_MOST_PENDING = 2**16

_log = logging.getLogger(__name__)


class Handshakes:
    """Counts handshakes, and those after which no connection stands; a watcher of calls."""

    def __init__(self, metrics: Metrics, clock: Callable[[], float] = time.monotonic) -> None:
        """Takes where they are counted, and what tells the time, in seconds."""
        self._metrics = metrics
        self._clock = clock
        self._pending: deque[float] = deque(maxlen=_MOST_PENDING)
        self._standing: set[str] = set()

    def begin(self) -> None:
        """Counts a handshake that begins; may be called in any thread."""
        self._metrics.tls_handshakes.inc()
        self._pending.append(self._clock())

    def began(self, _method: str, peer: str) -> None:
        """A call proves that its connection stands, also where that is too short for ``look``."""
        if peer not in self._standing:
            self._standing.add(peer)
            # The newest: those that were refused stay behind, and are found by their age.
            if self._pending:
                self._pending.pop()

    def ended(self, call: Ended) -> None:
        """Says nothing of handshakes."""

    def look(self, standing: Collection[str]) -> None:
        """Takes which connections stand, and counts the handshakes that have failed by now."""
        for peer in standing:
            self.began("", peer)
        self._standing.intersection_update(standing)
        failed = 0
        while self._pending and self._pending[0] <= self._clock() - PATIENCE_SECONDS:
            self._pending.popleft()
            failed += 1
        if failed:
            self._metrics.tls_failures.inc(failed)
            _log.warning(
                "%d TLS handshakes failed: the caller showed no certificate, or not one that is valid and comes from "
                "the roots of --tls-client-ca, or does not trust ours, or speaks no TLS",
                failed,
            )

    def keep_looking(self) -> None:
        """Looks every second, as long as the event loop runs."""
        self._looking = asyncio.create_task(self._look_again_and_again())

    async def _look_again_and_again(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            self.look(standing_connections())


def standing_connections() -> set[str]:
    """The peers of all connections to the servers of this process whose handshake is done, as gRPC names them."""
    found = set()
    context = cast("grpc.ServicerContext", None)  # it is there for calls from elsewhere, to tell them what failed
    for server in ChannelzServicer.GetServers(channelz_pb2.GetServersRequest(), context).server:
        request = channelz_pb2.GetServerSocketsRequest(server_id=server.ref.server_id, max_results=_MOST_PENDING)
        for socket in ChannelzServicer.GetServerSockets(request, context).socket_ref:
            found.add(socket.name.rpartition(" ")[2])
    return found
