from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import HealthServicer

from segue.server.healthcheck import check, local_address


@pytest.fixture
def address() -> Iterator[str]:
    """The address of a healthy server with a service "ill.Service" that is not healthy."""
    servicer = HealthServicer()
    servicer.set("", health_pb2.HealthCheckResponse.SERVING)
    servicer.set("ill.Service", health_pb2.HealthCheckResponse.NOT_SERVING)
    server = grpc.server(ThreadPoolExecutor(2))
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None)


@pytest.mark.parametrize(
    ("listen", "expected"),
    [
        ("0.0.0.0:50051", "127.0.0.1:50051"),
        ("[::]:50051", "[::1]:50051"),
        ("10.1.2.3:7", "10.1.2.3:7"),
        ("localhost:7", "localhost:7"),
        ("unix:/run/segue.sock", "unix:/run/segue.sock"),
    ],
)
def test_local_address(listen: str, expected: str) -> None:
    """A server on all interfaces is reached on the loopback, any other one at its own address."""
    assert expected == local_address(listen)


def test_a_healthy_server(address: str) -> None:
    """A healthy server has no problem."""
    assert check(address) is None


def test_a_service_that_is_not_healthy(address: str) -> None:
    """The problem names the service."""
    assert "ill.Service is NOT_SERVING" == check(address, "ill.Service")


def test_an_unknown_service(address: str) -> None:
    """An unknown service is a problem, and no crash."""
    assert "NOT_FOUND" in str(check(address, "no.Service"))


def test_no_server() -> None:
    """Without a server the check ends after its time limit."""
    assert "127.0.0.1:1 answers DEADLINE_EXCEEDED" in str(check("127.0.0.1:1", timeout=0.3))


@pytest.mark.parametrize(("service", "code"), [([], 0), (["ill.Service"], 1)])
def test_the_command(address: str, service: list[str], code: int) -> None:
    """The command finds the server by SEGUE_LISTEN, and its exit code is for container engines."""
    port = address.rpartition(":")[2]
    environment = os.environ | {"SEGUE_LISTEN": f"0.0.0.0:{port}"}
    command = [sys.executable, "-m", "segue.server.healthcheck", *service]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (code, bool(code)) == (ended.returncode, "ill.Service is NOT_SERVING" in ended.stderr)


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "cannot be read: No such file"), ("listen", "is not TOML"), ('listen = "::1:x"', ":x")],
)
def test_invalid_settings(tmp_path: Path, content: str | None, message: str) -> None:
    """A file of settings that is missing or invalid is named in a sentence, and the address in a valid file is used."""
    file = tmp_path / "server.toml"
    if content:
        file.write_text(content)
    environment = os.environ | {"SEGUE_CONFIG": str(file)}
    command = [sys.executable, "-m", "segue.server.healthcheck"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (1, True, False) == (ended.returncode, message in ended.stderr, "Traceback" in ended.stderr)


def test_an_unusable_certificate(address: str, tmp_path: Path) -> None:
    """A certificate that is missing or unusable is named in a sentence."""
    file = tmp_path / "server.pem"
    assert f"{file} cannot be read: No such file or directory" == check(address, tls=(file, file))
    file.write_text("garbage")
    assert f"{file} cannot be used" in str(check(address, tls=(file, file)))
