from __future__ import annotations

import re
import socket
import threading
import urllib.request

import pytest
from prometheus_client import CollectorRegistry, Gauge

from segue.core.errors import MalformedRequest
from segue.server.observability.metrics import Metrics
from segue.server.observability.metrics_server import MAX_CONNECTIONS, serve_metrics
from tests.helpers.machine.waiting import PATIENCE_SECONDS, wait_until


def read(address: str | None) -> str:
    """The page of metrics."""
    with urllib.request.urlopen(f"http://{address}/metrics") as page:
        text: str = page.read().decode()
        return text


def test_metrics_are_served() -> None:
    """The page holds Segue's metrics and the memory of the process, but no series of creation times."""
    metrics = Metrics()
    metrics.set_model("tiny-1")
    with serve_metrics(metrics.registry, "127.0.0.1:0") as address:
        text = read(address)
    assert 'segue_model_info{model_id="tiny-1"} 1.0' in text
    assert re.search(r"^process_resident_memory_bytes [1-9]", text, re.MULTILINE)
    assert "_created" not in text


def test_idle_connections_are_closed(capsys: pytest.CaptureFixture[str]) -> None:
    """A connection that sends nothing is closed with its thread and without a traceback, and others are served."""
    with serve_metrics(Metrics().registry, "127.0.0.1:0", idle_seconds=0.3) as address:
        threads = threading.active_count()
        host, _, port = str(address).rpartition(":")
        with socket.create_connection((host, int(port)), timeout=20) as idle:
            assert read(address)
            assert b"" == idle.recv(1)
        assert read(address)
        wait_until(lambda: threads == threading.active_count())
    assert "" == capsys.readouterr().err


def connect(address: str | None) -> socket.socket:
    """A connection to the server."""
    host, _, port = str(address).rpartition(":")
    return socket.create_connection((host, int(port)), timeout=PATIENCE_SECONDS)


def is_closed_by_server(connection: socket.socket) -> bool:
    """Reads a connection to its end; False if it does not end."""
    try:
        while connection.recv(2**16):
            pass
    except ConnectionResetError:
        pass
    except TimeoutError:
        return False
    return True


def test_a_request_that_arrives_slowly(capsys: pytest.CaptureFixture[str]) -> None:
    """The limit counts from the connection's start: a caller that sends a byte now and then does not keep a thread."""
    with serve_metrics(Metrics().registry, "127.0.0.1:0", idle_seconds=1.0) as address:
        threads = threading.active_count()
        with connect(address) as trickling:
            wait_until(lambda: not sends_a_byte(trickling))
            wait_until(lambda: threads == threading.active_count())
    assert "" == capsys.readouterr().err


def sends_a_byte(connection: socket.socket) -> bool:
    """Sends a byte; False if the server has closed the connection."""
    try:
        connection.sendall(b"G")
    except OSError:
        return False
    return True


def test_a_page_that_is_read_slowly(capsys: pytest.CaptureFixture[str]) -> None:
    """A caller that does not read the page is cut off without a traceback."""
    registry = CollectorRegistry()
    Gauge("large", "x" * 20_000_000, registry=registry)
    with serve_metrics(registry, "127.0.0.1:0", idle_seconds=1.0) as address:
        threads = threading.active_count()
        with connect(address) as connection:
            connection.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
            wait_until(lambda: threads < threading.active_count())
            wait_until(lambda: threads == threading.active_count())
    assert "" == capsys.readouterr().err


def test_many_idle_connections(caplog: pytest.LogCaptureFixture) -> None:
    """The number of connections is bounded: a new one takes the place of the oldest, and is served."""
    with serve_metrics(Metrics().registry, "127.0.0.1:0", idle_seconds=600.0) as address:
        threads = threading.active_count()
        idle = [connect(address) for _ in range(MAX_CONNECTIONS + 10)]
        assert read(address)
        assert threads + MAX_CONNECTIONS >= threading.active_count()
        assert all(is_closed_by_server(connection) for connection in idle[:10])
        assert 1 == caplog.text.count("connections to the metrics port")
        for connection in idle:
            connection.close()


def test_no_thread_stays() -> None:
    """Neither the server nor its connections leave a thread behind."""
    threads = threading.active_count()
    with serve_metrics(Metrics().registry, "127.0.0.1:0") as address:
        for _ in range(5):
            assert read(address)
    wait_until(lambda: threads == threading.active_count())


HOSTS = ("127.0.0.1", "localhost", *(["[::1]"] if socket.has_dualstack_ipv6() else []))


@pytest.mark.parametrize("host", HOSTS)
def test_addresses(host: str) -> None:
    """The host may be a name or an address, one of IPv6 in brackets; the real port takes the place of port 0."""
    with serve_metrics(Metrics().registry, f"{host}:0") as address:
        assert re.fullmatch(rf"{re.escape(host)}:[1-9]\d*", str(address))
        assert read(address)


def test_without_an_address() -> None:
    """Without an address no port is opened."""
    with serve_metrics(Metrics().registry, None) as address:
        assert address is None


def test_a_port_that_is_taken() -> None:
    """The error names a port that another program uses."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with (
            pytest.raises(MalformedRequest, match=f"Cannot listen on {address} for metrics"),
            serve_metrics(Metrics().registry, address),
        ):
            pass
