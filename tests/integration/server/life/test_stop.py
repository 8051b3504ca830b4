"""A server's last seconds, and the limits of its connections."""

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
from tests.helpers.servers import RunningServer, running_server
from tests.helpers.stubs import Stubs, failure
from tests.helpers.waiting import PATIENCE_SECONDS, wait_until

SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.fixture
def ending(tmp_path: Path, tiny_model: Path) -> Iterator[RunningServer]:
    """A server that stops at once when it is told to, and gives calls under way all the time that they need."""
    with running_server("--data", str(tmp_path), "--model", str(tiny_model), "--grace", "60") as running:
        yield running


def watch(stubs: Stubs) -> Any:  # noqa: ANN401 - grpc has no name for a call that is iterated over
    """Watches the health of the server."""
    return health_pb2_grpc.HealthStub(stubs.channel).Watch(health_pb2.HealthCheckRequest(service=""), timeout=120)


def test_drain(tmp_path: Path, tiny_model: Path) -> None:
    """After SIGTERM health says NOT_SERVING, calls are still answered for the time to drain, and the exit code is 0."""
    options = ("--data", str(tmp_path), "--model", str(tiny_model), "--drain", "10", "--grace", "3600")
    with running_server(*options) as server:
        stubs = Stubs(server.address)
        watching = watch(stubs)
        assert SERVING == next(watching).status
        server.process.send_signal(signal.SIGTERM)
        assert NOT_SERVING == next(watching).status
        assert stubs.classify(wav(4)).scores
        assert NOT_SERVING == stubs.health("segue.v1.ClassificationService")
        # Whoever watches is no call under way: the server does not wait for them, and ends their calls well.
        assert [] == list(watching)
        assert 0 == server.process.wait(PATIENCE_SECONDS)


def test_watchers_do_not_depend_on_each_other(ending: RunningServer) -> None:
    """One who leaves takes nothing from others who watch the same service."""
    leaving, staying = watch(Stubs(ending.address)), watch(Stubs(ending.address))
    assert [SERVING, SERVING] == [next(leaving).status, next(staying).status]
    leaving.cancel()
    wait_until(lambda: not leaving.is_active())
    ending.process.send_signal(signal.SIGTERM)
    assert NOT_SERVING == next(staying).status


def test_watchers_leave_room_for_others(ending: RunningServer) -> None:
    """However many want to watch, only so many do, and all other calls are answered; a place that is left is free."""
    stubs = Stubs(ending.address)
    watching = [watch(stubs) for _ in range(MAX_WATCHERS)]
    assert {SERVING} == {next(one).status for one in watching}
    for _ in range(20):
        with pytest.raises(grpc.RpcError) as error:
            next(watch(stubs))
        assert ("RESOURCE_EXHAUSTED", "OVERLOADED") == failure(error)[:2]
    assert stubs.classify(wav(4)).scores
    watching[0].cancel()
    wait_until(lambda: watches(stubs))


def test_what_outlasts_the_grace(tmp_path: Path, tiny_model: Path) -> None:
    """Streams that are still open after the grace are ended, and nothing is said of each but a line."""
    with running_server("--data", str(tmp_path), "--model", str(tiny_model), "--grace", "0.2") as server:
        over = threading.Event()
        requests = [StreamingClassifyRequest(config=StreamingClassifyConfig()), StreamingClassifyRequest(chunk=wav(4))]
        streams = [Stubs(server.address).streaming_classify(staying(requests, over)) for _ in range(4)]
        assert all(next(stream).HasField("window") for stream in streams)
        server.process.send_signal(signal.SIGTERM)
        said = server.process.communicate(timeout=PATIENCE_SECONDS)[1]
        assert 0 == server.process.returncode
        over.set()
    assert "Traceback" not in said
    assert {"UNAVAILABLE"} == {stream.code().name for stream in streams}


def staying(requests: list[StreamingClassifyRequest], over: threading.Event) -> Iterator[StreamingClassifyRequest]:
    """The requests, and then nothing until it is over."""
    yield from requests
    over.wait(60)


def watches(stubs: Stubs) -> bool:
    """Whether one more may watch."""
    try:
        return bool(SERVING == next(watch(stubs)).status)
    except grpc.RpcError:
        return False


def test_an_unknown_service(stubs: Stubs) -> None:
    """The health of what is not there is NOT_FOUND to who asks, and SERVICE_UNKNOWN to who watches."""
    with pytest.raises(grpc.RpcError) as error:
        stubs.health("no.Service")
    assert grpc.StatusCode.NOT_FOUND == error.value.code()
    watching = health_pb2_grpc.HealthStub(stubs.channel).Watch(health_pb2.HealthCheckRequest(service="x"), timeout=60)
    assert health_pb2.HealthCheckResponse.SERVICE_UNKNOWN == next(watching).status


def test_calls_outlive_their_connection(tmp_path: Path, tiny_model: Path) -> None:
    """A connection that comes of age is replaced under load, and no call fails for it."""
    options = ("--data", str(tmp_path), "--model", str(tiny_model), "--max-connection-age", "1")
    with running_server(*options) as server:
        connections = Connections(server.address)
        channel = grpc.insecure_channel(connections.address)
        check = health_pb2_grpc.HealthStub(channel).Check
        while connections.count < 3:
            assert SERVING == check(health_pb2.HealthCheckRequest(), timeout=30).status
        channel.close()


class Connections:
    """Stands before a server, and counts who connects."""

    def __init__(self, server: str) -> None:
        host, _, port = server.rpartition(":")
        self._server = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.count = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            client, _ = self._listener.accept()
            self.count += 1
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
