"""HTTP server of the Prometheus metrics."""

from __future__ import annotations

import logging
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry, disable_created_metrics, make_wsgi_app

from segue.core.errors import MalformedRequest

IDLE_SECONDS = 10.0
"""Seconds until a connection is closed, counted from its start: each occupies a thread and a file descriptor."""

MAX_CONNECTIONS = 32
"""Number of connections; a new one beyond it takes the place of the oldest."""

_log = logging.getLogger(__name__)


class _Connections:
    """The open connections, oldest first. A connection that is shut down ends its thread, which closes it."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._deadlines: dict[socket.socket, float] = {}
        self._lock = threading.Lock()
        self._is_full = False

    def add(self, connection: socket.socket) -> None:
        """Adds a connection, and shuts the oldest one down if there are too many."""
        with self._lock:
            was_full, self._is_full = self._is_full, len(self._deadlines) >= MAX_CONNECTIONS
            if self._is_full:
                self._shut_down(next(iter(self._deadlines)))
            self._deadlines[connection] = time.monotonic() + self._seconds
        if self._is_full and not was_full:
            _log.warning(
                "more than %d connections to the metrics port: the oldest is closed for each new one. Let only "
                "Prometheus reach the port.",
                MAX_CONNECTIONS,
            )

    def remove(self, connection: socket.socket) -> None:
        """Removes a connection that is about to be closed."""
        with self._lock:
            self._deadlines.pop(connection, None)

    def end_overdue(self) -> None:
        """Shuts down the connections whose time is over."""
        with self._lock:
            now = time.monotonic()
            for connection in [late for late, deadline in self._deadlines.items() if deadline <= now]:
                self._shut_down(connection)

    def _shut_down(self, connection: socket.socket) -> None:
        del self._deadlines[connection]
        with suppress(OSError):  # the client is gone
            connection.shutdown(socket.SHUT_RDWR)


class _Server(ThreadingMixIn, WSGIServer):
    """Serves each connection in a thread of its own."""

    daemon_threads = True
    # The backlog of the system: with the default of 5, a burst of idle connections would delay Prometheus.
    request_queue_size = MAX_CONNECTIONS

    def __init__(self, host: str, port: int, registry: CollectorRegistry, idle_seconds: float) -> None:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        self.address_family, *_, address = addresses[0]
        self._connections = _Connections(idle_seconds)
        super().__init__((str(address[0]), port), _RequestHandler)
        self.set_app(make_wsgi_app(registry))

    def get_request(self) -> tuple[socket.socket, Any]:
        """Returns the next connection, whose time begins now."""
        connection, client = super().get_request()
        self._connections.add(connection)
        return connection, client

    def service_actions(self) -> None:
        """Ends connections whose time is over; ``serve_forever`` calls it twice a second."""
        self._connections.end_overdue()

    def shutdown_request(self, request: Any) -> None:  # noqa: ANN401 - the base class's type
        """Closes a connection."""
        self._connections.remove(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - the base class's types
        """Logs a failed connection; a client that hangs up is no error of the server."""
        _log.debug("the metrics connection from %s failed: %r", client_address, sys.exc_info()[1])


class _RequestHandler(WSGIRequestHandler):
    """Answers a request without logging it."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401 - likewise
        """Logs nothing."""


@contextmanager
def serve_metrics(
    registry: CollectorRegistry, address: str | None, idle_seconds: float = IDLE_SECONDS
) -> Iterator[str | None]:
    """Serves metrics at http://``address``/metrics.

    Args:
        registry: the metrics.
        address: HOST:PORT, where port 0 is any free port; None serves nothing.
        idle_seconds: seconds until a connection is closed.

    Yields:
        The address with the actual port, or None.

    Raises:
        MalformedRequest: the server cannot listen on the address.
    """
    if address is None:
        yield None
        return
    host, _, port = address.rpartition(":")
    # Without this, each counter and each histogram has one more series with its creation time.
    disable_created_metrics()  # type: ignore[no-untyped-call] # the library has no type here
    try:
        server = _Server(host.strip("[]"), int(port), registry, idle_seconds)
    except OSError as error:
        raise MalformedRequest(
            "metrics_listen", f"Cannot listen on {address} for metrics: {error.strerror or error}."
        ) from error
    thread = threading.Thread(target=server.serve_forever, name="metrics", daemon=True)
    thread.start()
    bound = f"{host}:{server.server_port}"
    _log.info("metrics at http://%s/metrics", bound)
    try:
        yield bound
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
