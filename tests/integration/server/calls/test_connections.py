"""Connections that make no calls, and messages that never arrive."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from segue.client import Client, Credentials
from segue.server.rpc.channel_options import HANDSHAKE_SECONDS, MAX_CONNECTIONS
from segue.server.security.tokens import SCOPES, new_token
from tests.helpers.clips import wav
from tests.helpers.machine.ports import free_port
from tests.helpers.machine.waiting import wait_until
from tests.helpers.server import http2
from tests.helpers.server.servers import RunningServer, running_server
from tests.helpers.server.stubs import Stubs

CLASSIFY = "/segue.v1.ClassificationService/Classify"
HEALTH = "/grpc.health.v1.Health/Check"


@contextmanager
def bounded_server(data: Path, model: Path, *options: str) -> Iterator[tuple[RunningServer, str]]:
    """A running server with a port for health alone, and the address of that."""
    health = f"127.0.0.1:{free_port()}"
    basics = ("--data", str(data), "--model", str(model), "--metrics-listen", "127.0.0.1:0")
    with running_server(*basics, "--health-listen", health, *options) as running:
        yield running, health


def check_health(address: str, seconds: float = 1.0) -> int:
    """Reads the health over a new connection, within a time limit."""
    with grpc.insecure_channel(address, [("grpc.use_local_subchannel_pool", 1)]) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        return int(stub.Check(health_pb2.HealthCheckRequest(), timeout=seconds).status)


def test_silent_connections(tmp_path: Path, tiny_model: Path) -> None:
    """Silent connections occupy the port for 10 s at most; health has its own port, and the log names the machine."""
    with bounded_server(tmp_path, tiny_model) as (running, health), ExitStack() as opened:
        host, _, port = running.address.rpartition(":")
        for _ in range(MAX_CONNECTIONS + 28):
            opened.enter_context(socket.create_connection((host, int(port))))
        since = time.monotonic()
        with pytest.raises(grpc.RpcError):
            check_health(running.address)
        assert 1 == check_health(health)
        assert 0.9 * MAX_CONNECTIONS <= running.metrics()["segue_connections"]
        wait_until(lambda: running.metrics()["segue_connections"] < 10)
        assert time.monotonic() - since < 6 * HANDSHAKE_SECONDS  # a busy machine may take long
        assert 1 == check_health(running.address)
        assert running.process.stderr is not None
        line = next(line for line in running.process.stderr if "connections are in use" in line)
        assert "by 127.0.0.1" in line


def half_sent(address: str, method: str, messages: int, metadata: dict[bytes, bytes]) -> socket.socket:
    """Opens a connection with calls whose messages of 32 MiB are sent only to a small part."""
    host, _, port = address.rpartition(":")
    opened = socket.create_connection((host, int(port)))
    opened.sendall(http2.PREFACE)
    for number in range(messages):
        opened.sendall(http2.unfinished_call(method, 2**25, 2**10, metadata, stream=2 * number + 1))
    return opened


def test_unfinished_messages(tmp_path: Path, tiny_model: Path) -> None:
    """The messages that arrive at once have a budget, and one caller gets only its share of it."""
    made = {name: new_token(name, list(SCOPES)) for name in ("greedy", "polite")}
    (tmp_path / "tokens.toml").write_text("".join(f"{grant.line}\n" for _, grant in made.values()))
    options = ("--receive-mib", "320", "--tokens", str(tmp_path / "tokens.toml"))
    with bounded_server(tmp_path, tiny_model, *options) as (running, health), ExitStack() as opened:
        for _ in range(3):
            token = f"Bearer {made['greedy'][0]}".encode()
            opened.enter_context(half_sent(running.address, CLASSIFY, 100, {b"authorization": token}))
        wait_until(lambda: 8 == running.metrics()["segue_messages_arriving"])
        wait_until(lambda: 292 == running.metrics().get('segue_failures_total{reason="OVERLOADED"}'))
        assert 1 == check_health(health)
        with Client(running.address, credentials=Credentials(token=made["polite"][0])) as client:
            assert client.classify(wav(4)).scores


def test_unfinished_messages_without_a_token(tmp_path: Path, tiny_model: Path) -> None:
    """A call without a valid token takes no memory for its message, and a stalled health check ends soon."""
    (tmp_path / "tokens.toml").write_text(new_token("polite", list(SCOPES))[1].line)
    options = ("--receive-mib", "128", "--tokens", str(tmp_path / "tokens.toml"))
    with bounded_server(tmp_path, tiny_model, *options) as (running, _), ExitStack() as opened:
        opened.enter_context(half_sent(running.address, CLASSIFY, 100, {}))
        wait_until(lambda: 100 == running.metrics().get('segue_failures_total{reason="TOKEN_MISSING"}'))
        assert 0 == running.metrics()["segue_messages_arriving"]
        opened.enter_context(half_sent(running.address, HEALTH, 100, {}))
        wait_until(lambda: 6 == running.metrics().get('segue_failures_total{reason="STREAM_STALLED"}'))
        assert 1 == Stubs(running.address).health("")


def test_the_port_of_health(tmp_path: Path, tiny_model: Path) -> None:
    """The port of health serves nothing else, and refuses long messages."""
    with bounded_server(tmp_path, tiny_model) as (_, health):
        with pytest.raises(grpc.RpcError) as raised:
            Stubs(health).status()
        assert isinstance(raised.value, grpc.Call)
        assert grpc.StatusCode.UNIMPLEMENTED is raised.value.code()
        with pytest.raises(grpc.RpcError, match="larger than max"):
            Stubs(health).health("x" * 5_000)
        assert 1 == check_health(health)
