"""A server during its first seconds: the port is open before the model is loaded."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.helpers.clips import wav
from tests.helpers.machine.ports import free_port
from tests.helpers.machine.waiting import PATIENCE_SECONDS, wait_until
from tests.helpers.server.servers import StartingServer, starting_server
from tests.helpers.server.stubs import Stubs, failure

NAMES = ("ClassificationService", "RecommendationService", "PlaylistService", "CatalogService", "FeedbackService")
SERVICES = ("", *(f"segue.v1.{name}" for name in NAMES))
SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.fixture
def slow_model(tmp_path: Path, tiny_model: Path) -> Path:
    """A model that is loaded once its manifest is written to the pipe in the place of the file."""
    folder = tmp_path / "model"
    shutil.copytree(tiny_model, folder)
    (folder / "manifest.json").unlink()
    os.mkfifo(folder / "manifest.json")
    return folder


@pytest.fixture
def starting(tmp_path: Path, slow_model: Path) -> Iterator[StartingServer]:
    """A server whose port is open, and which waits for its model."""
    with starting_server("--data", str(tmp_path / "data"), "--model", str(slow_model)) as server:
        yield server


def let_load(slow_model: Path, tiny_model: Path) -> None:
    """Lets the server load its model."""
    (slow_model / "manifest.json").write_bytes((tiny_model / "manifest.json").read_bytes())


def test_health(starting: StartingServer, slow_model: Path, tiny_model: Path) -> None:
    """Every service is NOT_SERVING while the model is loaded, and SERVING once it is warm."""
    stubs = Stubs(starting.wait_until_open())
    assert [NOT_SERVING] * len(SERVICES) == [stubs.health(service) for service in SERVICES]
    let_load(slow_model, tiny_model)
    starting.wait_until_ready()
    assert [SERVING] * len(SERVICES) == [stubs.health(service) for service in SERVICES]
    assert stubs.classify(wav(5)).scores


def test_watching_the_health(starting: StartingServer, slow_model: Path, tiny_model: Path) -> None:
    """A watcher of the health sees its changes at the start and at the end."""
    watch = health_pb2_grpc.HealthStub(Stubs(starting.wait_until_open()).channel).Watch(
        health_pb2.HealthCheckRequest(service=""), timeout=60
    )
    assert NOT_SERVING == next(watch).status
    let_load(slow_model, tiny_model)
    assert SERVING == next(watch).status
    starting.process.terminate()
    assert NOT_SERVING == next(watch).status


def test_early_calls(starting: StartingServer, slow_model: Path, tiny_model: Path) -> None:
    """An early call fails with STARTING, and with the time after which to try again."""
    stubs = Stubs(starting.wait_until_open())
    for call in (lambda: stubs.classify(wav(5)), stubs.list_tracks, stubs.status):
        with pytest.raises(grpc.RpcError, match="is starting") as error:
            call()
        code, reason, details = failure(error)
        assert ("UNAVAILABLE", "STARTING") == (code, reason)
        assert "RetryInfo" in details
    let_load(slow_model, tiny_model)
    wait_until(lambda: stubs.health("") == SERVING)


def test_an_early_call_is_rejected_before_its_message(starting: StartingServer) -> None:
    """An early call fails while its caller still sends the message."""
    opening: Any = Stubs(starting.wait_until_open()).channel.stream_unary
    over = threading.Event()
    with pytest.raises(grpc.RpcError) as error:
        opening("/segue.v1.ClassificationService/Classify")(pause(over), timeout=PATIENCE_SECONDS)
    over.set()
    assert ("UNAVAILABLE", "STARTING") == failure(error)[:2]


def pause(over: threading.Event) -> Iterator[bytes]:
    """No message until an event."""
    over.wait(PATIENCE_SECONDS)
    yield from ()


def test_an_unknown_service(starting: StartingServer, slow_model: Path, tiny_model: Path) -> None:
    """A call to an unknown service is UNIMPLEMENTED, before the server is ready and after."""
    unknown = Stubs(starting.wait_until_open()).channel.unary_unary("/segue.v1.NoService/Nothing", bytes, bytes)
    for _ in range(2):
        with pytest.raises(grpc.RpcError) as error:
            unknown(b"", timeout=60)
        assert "UNIMPLEMENTED" == error.value.code().name
        if not starting.ready:
            let_load(slow_model, tiny_model)
            starting.wait_until_ready()


def test_sigterm_while_loading(starting: StartingServer) -> None:
    """A server stops in order while it loads its model, and does not wait for it."""
    starting.wait_until_open()
    starting.process.send_signal(signal.SIGTERM)
    assert 0 == starting.process.wait(PATIENCE_SECONDS)
    assert starting.process.stderr is not None
    assert "segue-server: stopped\n" == starting.process.stderr.readlines()[-1]


def test_a_port_that_opens_when_ready(tmp_path: Path, slow_model: Path, tiny_model: Path) -> None:
    """With --listen-when-ready the port is closed while the model is loaded, and the first call succeeds."""
    host, port = "127.0.0.1", free_port()
    options = ("--listen", f"{host}:{port}", "--listen-when-ready", "--model", str(slow_model))
    with starting_server(*options, "--data", str(tmp_path / "data")) as starting:
        # The pipe opens when the server reads it, which is while it loads the model.
        with (slow_model / "manifest.json").open("wb") as manifest:
            assert errno.ECONNREFUSED == socket.socket().connect_ex((host, port))
            manifest.write((tiny_model / "manifest.json").read_bytes())
        assert Stubs(starting.wait_until_ready()).classify(wav(5)).scores


def test_an_invalid_url_of_redis(tmp_path: Path, tiny_model: Path) -> None:
    """An invalid URL of Redis ends the server with a sentence that names it without its password."""
    options = ("--data", str(tmp_path), "--model", str(tiny_model))
    with starting_server(*options, "--redis", "http://:secret@host") as server:
        log = server.process.communicate(timeout=PATIENCE_SECONDS)[1]
        assert 1 == server.process.returncode
    assert "'http://host' is not the address of a Redis. Write redis://HOST:PORT/DB" in log
    assert "secret" not in log


def test_the_service_manager_learns_that_the_server_is_ready(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A unit with Type=notify counts as started when the server is ready, and as stopping at SIGTERM."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "s"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "s"))
        with starting_server("--data", str(tmp_path / "data"), "--model", str(tiny_model)) as starting:
            starting.wait_until_ready()
            assert b"READY=1" == manager.recv(100)
        assert b"STOPPING=1" == manager.recv(100)
