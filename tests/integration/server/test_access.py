"""A server with TLS, client certificates and tokens."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import grpc
import pytest
import trustme
from grpc_health.v1 import health_pb2, health_pb2_grpc

from segue.client import (
    AsyncClient,
    Client,
    Credentials,
    ServerUnreachableError,
    TokenMissingError,
    TokenScopeError,
    TokenUnknownError,
)
from segue.server.security.tokens import new_token
from segue.v1 import catalog_service_pb2, catalog_service_pb2_grpc, classification_service_pb2_grpc
from segue.v1.audio_pb2 import Audio
from segue.v1.classification_service_pb2 import ClassifyRequest
from tests.helpers.machine.waiting import wait_until
from tests.helpers.server.certificates import issue
from tests.helpers.server.servers import RunningServer, run_doctor, running_server
from tests.helpers.server.stubs import UNLIMITED, list_services

CA, OTHER_CA = trustme.CA(), trustme.CA()
READ = "/segue.v1.CatalogService/GetStatus"


class GuardedServer(NamedTuple):
    """A server that requires certificates and tokens.

    Attributes:
        running: the server.
        folder: folder with its certificates and tokens.
        credentials: valid credentials of a client, with a token for the scope read.
    """

    running: RunningServer
    folder: Path
    credentials: Credentials

    @property
    def address(self) -> str:
        """The address of the server."""
        return self.running.address

    def wait_for_value(self, name: str, minimum: float) -> None:
        """Waits until a metric has a value; a call is counted a moment after its response."""
        wait_until(lambda: minimum <= self.value(name))

    def value(self, name: str) -> float:
        """The value of a metric."""
        return self.running.metrics().get(name, 0)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Iterator[GuardedServer]:
    """A running server with TLS, client certificates and tokens."""
    folder = tmp_path_factory.mktemp("guarded")
    server = issue(folder, "server", "127.0.0.1", ca=CA)
    player = issue(folder, "player", "player@example.org", ca=CA)
    CA.cert_pem.write_to_path(str(folder / "ca.pem"))
    token, grant = new_token("player", ["read"])
    (folder / "tokens.toml").write_text(grant.line)
    options = {
        "--data": folder / "data",
        "--model": tiny_model,
        "--metrics-listen": "127.0.0.1:0",
        "--tls-certificate": server.certificate,
        "--tls-key": server.key,
        "--tls-client-ca": folder / "ca.pem",
        "--tokens": folder / "tokens.toml",
        "--log-format": "json",
    }
    with running_server(*(str(word) for pair in options.items() for word in pair)) as running:
        yield GuardedServer(running, folder, Credentials(True, folder / "ca.pem", *player, token))


@contextmanager
def channel_without_token(guarded: GuardedServer) -> Iterator[grpc.Channel]:
    """A channel with a valid certificate and no token."""
    credentials = replace(guarded.credentials, token=None).for_channel()
    assert credentials
    with grpc.secure_channel(guarded.address, credentials, UNLIMITED) as channel:
        yield channel


def test_valid_credentials(guarded: GuardedServer) -> None:
    """A call with a valid certificate and a valid token succeeds."""
    with Client(guarded.address, credentials=guarded.credentials) as client:
        assert client.status().revision.model_id.startswith("tiny-")


async def test_valid_credentials_of_the_asyncio_client(guarded: GuardedServer) -> None:
    """The asyncio client accepts the same credentials."""
    async with AsyncClient(guarded.address, credentials=guarded.credentials) as client:
        assert (await client.status()).revision.model_id.startswith("tiny-")


@pytest.mark.parametrize(
    ("token", "error"),
    [(None, TokenMissingError), ("segue_other", TokenUnknownError)],
)
def test_an_invalid_token(
    guarded: GuardedServer, token: str | None, error: type[TokenMissingError] | type[TokenUnknownError]
) -> None:
    """A call without a token, or with an unknown one, is denied and counted."""
    calls, failures = (
        f'segue_requests_total{{code="UNAUTHENTICATED",method="{READ}"}}',
        f'segue_failures_total{{reason="{error.reason}"}}',
    )
    calls_before, failures_before = guarded.value(calls), guarded.value(failures)
    credentials = replace(guarded.credentials, token=token)
    with Client(guarded.address, credentials=credentials) as client, pytest.raises(error) as raised:
        client.status()
    assert grpc.StatusCode.UNAUTHENTICATED == raised.value.code
    guarded.wait_for_value(calls, calls_before + 1)
    guarded.wait_for_value(failures, failures_before + 1)


def test_the_log_of_a_denied_call(guarded: GuardedServer) -> None:
    """A denied call is logged in JSON with method, code, reason and request id, but without its token."""
    token, request_id = "segue_secret", "request-42"
    metadata = (("authorization", f"Bearer {token}"), ("x-request-id", request_id))
    request = catalog_service_pb2.GetStatusRequest()
    with channel_without_token(guarded) as channel, pytest.raises(grpc.RpcError):
        catalog_service_pb2_grpc.CatalogServiceStub(channel).GetStatus(request, metadata=metadata)
    assert guarded.running.process.stderr is not None
    line = next(line for line in guarded.running.process.stderr if request_id in line)
    assert token not in line
    entry = json.loads(line)
    assert ("warning", READ, "UNAUTHENTICATED", "TOKEN_UNKNOWN", request_id) == tuple(
        entry[field] for field in ("level", "method", "code", "reason", "request_id")
    )


def test_a_missing_scope(guarded: GuardedServer) -> None:
    """A call that the token does not permit is denied and counted."""
    denied = pytest.raises(TokenScopeError, match="lacks the scope classify")
    with Client(guarded.address, credentials=guarded.credentials) as client, denied as raised:
        client.classify(bytes(8 * 2**20))
    assert grpc.StatusCode.PERMISSION_DENIED == raised.value.code
    guarded.wait_for_value('segue_failures_total{reason="TOKEN_SCOPE"}', 1)


def test_the_message_of_a_denied_call_is_not_read(guarded: GuardedServer) -> None:
    """A call with a message above the limit is denied for its token, before the message is read."""
    request = ClassifyRequest(audio=Audio(content=bytes(40 * 2**20)))
    metadata = guarded.credentials.for_calls(guarded.address)
    denied = pytest.raises(grpc.RpcError, match="lacks the scope classify")
    with channel_without_token(guarded) as channel, denied:
        classification_service_pb2_grpc.ClassificationServiceStub(channel).Classify(request, metadata=metadata)


def test_health_needs_no_token(guarded: GuardedServer) -> None:
    """Health needs no token, but reflection needs one."""
    with channel_without_token(guarded) as channel:
        assert 1 == health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest()).status
        with pytest.raises(grpc.RpcError, match="requires a token"):
            list_services(channel)


@pytest.mark.parametrize("name", [None, "other", "expired"])
def test_an_invalid_client_certificate(guarded: GuardedServer, tmp_path: Path, name: str | None) -> None:
    """A client without a certificate, with one of another CA or with an expired one cannot connect."""
    issue(tmp_path, "other", "player@example.org", ca=OTHER_CA)
    issue(tmp_path, "expired", "player@example.org", ca=CA, end=datetime(2020, 1, 2, tzinfo=UTC))
    certificate, key = (tmp_path / f"{name}.pem", tmp_path / f"{name}.key") if name else (None, None)
    credentials = replace(guarded.credentials, certificate=certificate, key=key)
    with Client(guarded.address, credentials=credentials) as client, pytest.raises(ServerUnreachableError):
        client.status()


def test_a_server_that_is_not_trusted(guarded: GuardedServer, tmp_path: Path) -> None:
    """A client with other roots reports that TLS failed, and sends no token."""
    OTHER_CA.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    credentials = replace(guarded.credentials, ca=tmp_path / "ca.pem")
    failed = pytest.raises(ServerUnreachableError, match=f"TLS.*{guarded.address}")
    with Client(guarded.address, credentials=credentials) as client, failed:
        client.status()


def test_a_client_without_tls(guarded: GuardedServer) -> None:
    """A client without TLS reports that the server may require it."""
    message = f"{guarded.address} closed the connection: if its server uses TLS"
    failed = pytest.raises(ServerUnreachableError, match=message)
    with Client(guarded.address) as client, failed:
        client.status()


def test_a_new_certificate(guarded: GuardedServer, tmp_path: Path) -> None:
    """The next connection uses a new certificate, without a restart of the server."""
    OTHER_CA.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    old = {name: (guarded.folder / name).read_bytes() for name in ("server.pem", "server.key")}
    issue(guarded.folder, "server", "127.0.0.1", ca=OTHER_CA)
    try:
        credentials = replace(guarded.credentials, ca=tmp_path / "ca.pem")
        with Client(guarded.address, credentials=credentials) as client:
            assert client.status().server_version
    finally:
        for name, content in old.items():
            (guarded.folder / name).write_bytes(content)


def test_the_command(guarded: GuardedServer) -> None:
    """`segue` accepts certificates and the token as options, and the token from the environment."""
    command = [sys.executable, "-m", "segue.client.cli.main", "status", "--address", guarded.address]
    certificates = ["--tls-ca", "ca.pem", "--tls-certificate", "player.pem", "--tls-key", "player.key"]
    ended = subprocess.run(
        [*command, *certificates],
        cwd=guarded.folder,
        env={"SEGUE_TOKEN": str(guarded.credentials.token)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (0, "") == (ended.returncode, ended.stderr)


@pytest.mark.parametrize("source", ["environment", "file"])
def test_the_health_check(guarded: GuardedServer, tmp_path: Path, source: str) -> None:
    """The health check of a container trusts the certificate of its own server, and needs no token."""
    settings = {
        "listen": guarded.address,
        "tls-certificate": str(guarded.folder / "server.pem"),
        "tls-key": str(guarded.folder / "server.key"),
    }
    variables = {f"SEGUE_{key.replace('-', '_').upper()}": value for key, value in settings.items()}
    (tmp_path / "server.toml").write_text("".join(f'{key} = "{value}"\n' for key, value in settings.items()))
    ended = subprocess.run(
        [sys.executable, "-m", "segue.server.healthcheck"],
        env=variables if source == "environment" else {"SEGUE_CONFIG": str(tmp_path / "server.toml")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (0, "") == (ended.returncode, ended.stderr)


def test_doctor_and_a_port_with_tls(guarded: GuardedServer, tmp_path: Path, tiny_model: Path) -> None:
    """A port at which a healthy server with TLS answers is a warning, and no failure."""
    files = ("--tls-certificate", guarded.folder / "server.pem", "--tls-key", guarded.folder / "server.key")
    code, results = run_doctor("--data", tmp_path, "--model", tiny_model, "--listen", guarded.address, *files)
    assert (0, "warn") == (code, results["port"].level)
    assert "a healthy server answers" in results["port"].text


@pytest.mark.parametrize("option", ["--tls-certificate", "--tokens"])
def test_missing_files(tmp_path: Path, tiny_model: Path, option: str) -> None:
    """A server whose certificate or token file is missing does not start, and names the file."""
    options = {"--tls-key": tmp_path / "key", "--tls-certificate": tmp_path / "file"}
    if option == "--tokens":
        options = {option: tmp_path / "file"}
    words = [str(word) for pair in options.items() for word in pair]
    ended = subprocess.run(
        [sys.executable, "-m", "segue.server", "--listen", "127.0.0.1:0", "--model", str(tiny_model), *words],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert 1 == ended.returncode
    assert f"{tmp_path / 'file'} cannot be read" in ended.stderr
