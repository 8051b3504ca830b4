"""A server during its last seconds, and the age of its connections."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from segue.server.rpc.health import MAX_WATCHERS
from segue.v1.classification_service_pb2 import StreamingClassifyConfig, StreamingClassifyRequest
from tests.helpers.clips import wav
from tests.helpers.machine.waiting import PATIENCE_SECONDS, wait_until
from tests.helpers.server.servers import RunningServer, running_server
from tests.helpers.server.stubs import Stubs, failure

SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.fixture
def ending(tmp_path: Path, tiny_model: Path) -> Iterator[RunningServer]:
    """A server with a long grace period."""
    with running_server("--data", str(tmp_path), "--model", str(tiny_model), "--grace", "60") as running:
        yield running


def watch(stubs: Stubs) -> Any:  # noqa: ANN401 - grpc has no name for a call that is iterated over
    """Watches the health of the server."""
    return health_pb2_grpc.HealthStub(stubs.channel).Watch(health_pb2.HealthCheckRequest(service=""), timeout=120)


def test_drain(tmp_path: Path, tiny_model: Path) -> None:
    """After SIGTERM health is NOT_SERVING, calls succeed for the time to drain, and the exit code is 0."""
    options = ("--data", str(tmp_path), "--model", str(tiny_model), "--drain", "10", "--grace", "3600")
    with running_server(*options) as server:
        stubs = Stubs(server.address)
        watching = watch(stubs)
        assert SERVING == next(watching).status
        server.process.send_signal(signal.SIGTERM)
        assert NOT_SERVING == next(watching).status
        assert stubs.classify(wav(4)).scores
        assert NOT_SERVING == stubs.health("segue.v1.ClassificationService")
        # The grace period is not for watchers: the server ends their calls with OK.
        assert [] == list(watching)
        assert 0 == server.process.wait(PATIENCE_SECONDS)


def test_watchers_are_independent(ending: RunningServer) -> None:
    """A watcher who leaves does not end the calls of other watchers of the same service."""
    leaving, staying = watch(Stubs(ending.address)), watch(Stubs(ending.address))
    assert [SERVING, SERVING] == [next(leaving).status, next(staying).status]
    leaving.cancel()
    wait_until(lambda: not leaving.is_active())
    ending.process.send_signal(signal.SIGTERM)
    assert NOT_SERVING == next(staying).status


def test_the_limit_of_watchers(ending: RunningServer) -> None:
    """Only so many callers may watch, all other calls succeed, and a watcher who leaves makes room."""
    stubs = Stubs(ending.address)
    watching = []
    for _ in range(MAX_WATCHERS):
        # One after the other: on a busy machine, the messages of many arriving at once would fill their caller's share.
        watching.append(watch(stubs))
        assert SERVING == next(watching[-1]).status
    for _ in range(20):
        with pytest.raises(grpc.RpcError) as error:
            next(watch(stubs))
        assert ("RESOURCE_EXHAUSTED", "OVERLOADED") == failure(error)[:2]
    assert stubs.classify(wav(4)).scores
    watching[0].cancel()
    wait_until(lambda: can_watch(stubs))


def test_streams_after_the_grace_period(tmp_path: Path, tiny_model: Path) -> None:
    """Streams that are open after the grace period are ended without a traceback in the log."""
    with running_server("--data", str(tmp_path), "--model", str(tiny_model), "--grace", "0.2") as server:
        over = threading.Event()
        requests = [StreamingClassifyRequest(config=StreamingClassifyConfig()), StreamingClassifyRequest(chunk=wav(4))]
        streams = [Stubs(server.address).streaming_classify(then_pause(requests, over)) for _ in range(4)]
        assert all(next(stream).HasField("window") for stream in streams)
        server.process.send_signal(signal.SIGTERM)
        log = server.process.communicate(timeout=PATIENCE_SECONDS)[1]
        assert 0 == server.process.returncode
        over.set()
    assert "Traceback" not in log
    assert {"UNAVAILABLE"} == {stream.code().name for stream in streams}


def then_pause(requests: list[StreamingClassifyRequest], over: threading.Event) -> Iterator[StreamingClassifyRequest]:
    """The requests, and then a pause until an event."""
    yield from requests
    over.wait(60)


def can_watch(stubs: Stubs) -> bool:
    """True if one more caller may watch."""
    try:
        return bool(SERVING == next(watch(stubs)).status)
    except grpc.RpcError:
        return False


def test_the_health_of_an_unknown_service(stubs: Stubs) -> None:
    """The health of an unknown service is NOT_FOUND for Check, and SERVICE_UNKNOWN for Watch."""
    with pytest.raises(grpc.RpcError) as error:
        stubs.health("no.Service")
    assert grpc.StatusCode.NOT_FOUND == error.value.code()
    watching = health_pb2_grpc.HealthStub(stubs.channel).Watch(health_pb2.HealthCheckRequest(service="x"), timeout=60)
    assert health_pb2.HealthCheckResponse.SERVICE_UNKNOWN == next(watching).status


def test_the_age_of_a_connection(tmp_path: Path, tiny_model: Path) -> None:
    """A connection of the maximum age is replaced under load without a failed call."""
    options = ("--data", str(tmp_path), "--model", str(tiny_model), "--max-connection-age", "1")
    with running_server(*options) as server:
        proxy = CountingProxy(server.address)
        channel = grpc.insecure_channel(proxy.address)
        check = health_pb2_grpc.HealthStub(channel).Check
        while proxy.connections < 3:
            assert SERVING == check(health_pb2.HealthCheckRequest(), timeout=30).status
        channel.close()


class CountingProxy:
    """A TCP proxy in front of a server that counts connections.

    Attributes:
        address: address of the proxy.
        connections: number of connections so far.
    """

    def __init__(self, server: str) -> None:
        host, _, port = server.rpartition(":")
        self._server = (host, int(port))
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            client, _ = self._socket.accept()
            self.connections += 1
            server = socket.create_connection(self._server)
            for source, target in ((client, server), (server, client)):
                threading.Thread(target=_copy, args=(source, target), daemon=True).start()


def _copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(2**16):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        target.close()
