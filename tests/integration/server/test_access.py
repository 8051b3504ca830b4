"""A server that only some may call: TLS, certificates of clients, tokens."""

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
from tests.helpers.servers import RunningServer, running_server
from tests.helpers.stubs import UNLIMITED
from tests.helpers.waiting import wait_until
from tests.integration.server.life.test_doctor import doctor
from tests.integration.server.test_metrics import list_services

CA, OTHER_CA = trustme.CA(), trustme.CA()
READ = "/segue.v1.CatalogService/GetStatus"


class Guarded(NamedTuple):
    """A server that asks for certificates and tokens, and what opens it."""

    running: RunningServer
    folder: Path
    credentials: Credentials

    @property
    def address(self) -> str:
        """Where it answers."""
        return self.running.address

    def counts(self, name: str, at_least: float) -> None:
        """Waits until it has counted so many; a caller is answered a moment before its call is counted."""
        wait_until(lambda: at_least <= self.figure(name))

    def figure(self, name: str) -> float:
        """What it has counted."""
        return self.running.metrics().get(name, 0)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Iterator[Guarded]:
    """A running server with everything that guards it."""
    folder = tmp_path_factory.mktemp("guarded")
    issue(CA, folder, "server", "127.0.0.1")
    issue(CA, folder, "player", "player@example.org")
    CA.cert_pem.write_to_path(str(folder / "ca.pem"))
    token, grant = new_token("player", ["read"])
    (folder / "tokens.toml").write_text(grant.line)
    options = {
        "--data": folder / "data",
        "--model": tiny_model,
        "--metrics-listen": "127.0.0.1:0",
        "--tls-certificate": folder / "server.pem",
        "--tls-key": folder / "server.key",
        "--tls-client-ca": folder / "ca.pem",
        "--tokens": folder / "tokens.toml",
        "--log-format": "json",
    }
    with running_server(*(str(word) for pair in options.items() for word in pair)) as running:
        yield Guarded(running, folder, Credentials(True, folder / "ca.pem", *player(folder), token))


def issue(ca: trustme.CA, folder: Path, name: str, identity: str, not_after: datetime | None = None) -> None:
    """Writes a certificate and its key."""
    made = ca.issue_cert(identity, not_after=not_after)
    (folder / f"{name}.key").write_bytes(made.private_key_pem.bytes())
    (folder / f"{name}.pem").write_bytes(b"".join(pem.bytes() for pem in made.cert_chain_pems))


def player(folder: Path) -> tuple[Path, Path]:
    """The certificate and the key of a client."""
    return folder / "player.pem", folder / "player.key"


@contextmanager
def secured(guarded: Guarded) -> Iterator[grpc.Channel]:
    """A channel with the right certificate and no token."""
    credentials = replace(guarded.credentials, token=None).for_channel()
    assert credentials
    with grpc.secure_channel(guarded.address, credentials, UNLIMITED) as channel:
        yield channel


def test_who_has_all(guarded: Guarded) -> None:
    """With a certificate and a token a caller is answered, on either kind of client."""
    with Client(guarded.address, credentials=guarded.credentials) as client:
        assert client.status().revision.model_id.startswith("tiny-")


async def test_who_has_all_and_awaits(guarded: Guarded) -> None:
    """The asyncio client passes the same doors."""
    async with AsyncClient(guarded.address, credentials=guarded.credentials) as client:
        assert (await client.status()).revision.model_id.startswith("tiny-")


@pytest.mark.parametrize(
    ("token", "error"),
    [(None, TokenMissingError), ("segue_other", TokenUnknownError)],
)
def test_a_wrong_token(
    guarded: Guarded, token: str | None, error: type[TokenMissingError] | type[TokenUnknownError]
) -> None:
    """A call without a token, or with one that nobody gave, is refused, logged and counted."""
    count = f'segue_requests_total{{code="UNAUTHENTICATED",method="{READ}"}}'
    before, reasons = guarded.figure(count), guarded.figure(f'segue_failures_total{{reason="{error.reason}"}}')
    credentials = replace(guarded.credentials, token=token)
    with Client(guarded.address, credentials=credentials) as client, pytest.raises(error) as raised:
        client.status()
    assert grpc.StatusCode.UNAUTHENTICATED == raised.value.code
    guarded.counts(count, before + 1)
    guarded.counts(f'segue_failures_total{{reason="{error.reason}"}}', reasons + 1)


def test_the_log(guarded: Guarded) -> None:
    """Who is refused is logged in JSON with method, code, reason and request id, and no token is."""
    token, request_id = "segue_secret_of_nobody", "request-of-nobody"
    metadata = (("authorization", f"Bearer {token}"), ("x-request-id", request_id))
    request = catalog_service_pb2.GetStatusRequest()
    with secured(guarded) as channel, pytest.raises(grpc.RpcError):
        catalog_service_pb2_grpc.CatalogServiceStub(channel).GetStatus(request, metadata=metadata)
    assert guarded.running.process.stderr is not None
    line = next(line for line in guarded.running.process.stderr if request_id in line)
    assert token not in line
    found = json.loads(line)
    assert ("warning", READ, "UNAUTHENTICATED", "TOKEN_UNKNOWN", request_id) == tuple(
        found[fact] for fact in ("level", "method", "code", "reason", "request_id")
    )


def test_a_wrong_scope(guarded: Guarded) -> None:
    """A call for which the token is not is refused and counted."""
    refused = pytest.raises(TokenScopeError, match="scope classify")
    with Client(guarded.address, credentials=guarded.credentials) as client, refused as raised:
        client.classify(bytes(8 * 2**20))
    assert grpc.StatusCode.PERMISSION_DENIED == raised.value.code
    guarded.counts('segue_failures_total{reason="TOKEN_SCOPE"}', 1)


def test_nothing_is_read_of_who_is_refused(guarded: Guarded) -> None:
    """A message that is too large for the server is never looked at where the token is wrong already."""
    request = ClassifyRequest(audio=Audio(content=bytes(40 * 2**20)))
    metadata = guarded.credentials.for_calls(guarded.address)
    with secured(guarded) as channel, pytest.raises(grpc.RpcError, match="scope classify"):
        classification_service_pb2_grpc.ClassificationServiceStub(channel).Classify(request, metadata=metadata)


def test_health_is_open_and_reflection_is_not(guarded: Guarded) -> None:
    """Whoever gets a connection may ask for health; what the contract is, only those with a token learn."""
    with secured(guarded) as channel:
        assert 1 == health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest()).status
        with pytest.raises(grpc.RpcError, match="requires a token"):
            list_services(channel)


@pytest.mark.parametrize("name", [None, "other", "ended"])
def test_a_wrong_client_certificate(guarded: Guarded, tmp_path: Path, name: str | None) -> None:
    """Clients with no certificate, one from elsewhere and one that has ended are refused."""
    issue(OTHER_CA, tmp_path, "other", "player@example.org")
    issue(CA, tmp_path, "ended", "player@example.org", not_after=datetime(2020, 1, 2, tzinfo=UTC))
    certificate, key = (tmp_path / f"{name}.pem", tmp_path / f"{name}.key") if name else (None, None)
    credentials = replace(guarded.credentials, certificate=certificate, key=key)
    with Client(guarded.address, credentials=credentials) as client, pytest.raises(ServerUnreachableError):
        client.status()


def test_a_server_that_is_not_trusted(guarded: Guarded, tmp_path: Path) -> None:
    """A client that trusts other roots says that TLS failed, and sends no token."""
    OTHER_CA.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    credentials = replace(guarded.credentials, ca=tmp_path / "ca.pem")
    refused = pytest.raises(ServerUnreachableError, match=f"TLS with {guarded.address} failed")
    with Client(guarded.address, credentials=credentials) as client, refused:
        client.status()


def test_a_client_without_tls(guarded: Guarded) -> None:
    """A client that does not know that the server wants TLS is told that it might."""
    refused = pytest.raises(
        ServerUnreachableError, match=f"{guarded.address} closed the connection: if its server uses TLS"
    )
    with Client(guarded.address) as client, refused:
        client.status()


def test_a_new_certificate(guarded: Guarded, tmp_path: Path) -> None:
    """A certificate that is put in place of the old one meets the next connection, without a restart."""
    OTHER_CA.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    kept = {name: (guarded.folder / name).read_bytes() for name in ("server.pem", "server.key")}
    issue(OTHER_CA, guarded.folder, "server", "127.0.0.1")
    try:
        credentials = replace(guarded.credentials, ca=tmp_path / "ca.pem")
        with Client(guarded.address, credentials=credentials) as client:
            assert client.status().server_version
    finally:
        for name, content in kept.items():
            (guarded.folder / name).write_bytes(content)


def test_the_command(guarded: Guarded) -> None:
    """`segue` takes certificates and the token as options, and the token from the environment."""
    folder, credentials = guarded.folder, guarded.credentials
    command = [sys.executable, "-m", "segue.client.cli.main", "status", "--address", guarded.address]
    certificates = ["--tls-ca", "ca.pem", "--tls-certificate", "player.pem", "--tls-key", "player.key"]
    ended = subprocess.run(
        [*command, *certificates],
        cwd=folder,
        env={"SEGUE_TOKEN": str(credentials.token)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (0, "") == (ended.returncode, ended.stderr)


@pytest.mark.parametrize("where", ["environment", "file"])
def test_the_health_check(guarded: Guarded, tmp_path: Path, where: str) -> None:
    """The check that containers run trusts the certificate of its own server, and needs no token."""
    settings = {
        "listen": guarded.address,
        "tls-certificate": str(guarded.folder / "server.pem"),
        "tls-key": str(guarded.folder / "server.key"),
    }
    variables = {f"SEGUE_{key.replace('-', '_').upper()}": value for key, value in settings.items()}
    (tmp_path / "server.toml").write_text("".join(f'{key} = "{value}"\n' for key, value in settings.items()))
    ended = subprocess.run(
        [sys.executable, "-m", "segue.server.healthcheck"],
        env=variables if where == "environment" else {"SEGUE_CONFIG": str(tmp_path / "server.toml")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (0, "") == (ended.returncode, ended.stderr)


def test_doctor_beside_it(guarded: Guarded, tmp_path: Path, tiny_model: Path) -> None:
    """A port on which a server with TLS is well already is no failure."""
    files = ("--tls-certificate", guarded.folder / "server.pem", "--tls-key", guarded.folder / "server.key")
    code, found = doctor("--data", tmp_path, "--model", tiny_model, "--listen", guarded.address, *files)
    assert (0, "warn") == (code, found["port"].level)
    assert "answers at" in found["port"].text


@pytest.mark.parametrize("option", ["--tls-certificate", "--tokens"])
def test_files_that_are_not_there(tmp_path: Path, tiny_model: Path, option: str) -> None:
    """A server that cannot be guarded as it is told to does not start, and says which file it lacks."""
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
