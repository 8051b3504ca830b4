"""HTTP server of the Prometheus metrics."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry, disable_created_metrics, make_wsgi_app

from segue.core.errors import MalformedRequest

IDLE_SECONDS = 10.0
"""Seconds until a connection is closed that sends or reads nothing: each occupies a thread and a file descriptor."""

_log = logging.getLogger(__name__)


class _Server(ThreadingMixIn, WSGIServer):
    """Serves each connection in a thread of its own."""

    daemon_threads = True

    def __init__(self, host: str, port: int, registry: CollectorRegistry, idle_seconds: float) -> None:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        self.address_family, *_, address = addresses[0]
        self.idle_seconds = idle_seconds
        super().__init__((str(address[0]), port), _RequestHandler)
        self.set_app(make_wsgi_app(registry))

    def get_request(self) -> tuple[socket.socket, Any]:
        """Returns the next connection, with its time limit set."""
        connection, client = super().get_request()
        connection.settimeout(self.idle_seconds)
        return connection, client

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - the base class's types
        """Logs a failed connection; a client that hangs up or sends nothing is no error of the server."""
        _log.debug("the metrics connection from %s failed", client_address, exc_info=True)


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
        idle_seconds: seconds until an idle connection is closed.

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
