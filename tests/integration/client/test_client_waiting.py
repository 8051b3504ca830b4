from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
import trustme
from click.testing import CliRunner
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo

from segue.client import AsyncClient, Client, Credentials, OverloadedError, ServerUnreachableError, StartingError
from segue.client.cli.main import main
from segue.v1.catalog_service_pb2_grpc import add_CatalogServiceServicer_to_server
from tests.helpers.machine.waiting import PATIENCE_SECONDS
from tests.integration.client.behaviours import Behaviour, fails, info
from tests.integration.client.conftest import CallMethod, Peer, serving


def starts(seconds: float) -> Behaviour:
    """Fails a call as a server does that is starting, which asks to try again after so many seconds."""
    delay = RetryInfo(retry_delay=Duration(seconds=int(seconds), nanos=int(1e9 * (seconds % 1))))
    return fails(grpc.StatusCode.UNAVAILABLE, "The server is starting.", info("STARTING"), delay)


def overloaded(seconds: float) -> Behaviour:
    """Fails a call as an overloaded server does, which asks to try again after so many seconds."""
    delay = RetryInfo(retry_delay=Duration(seconds=int(seconds), nanos=int(1e9 * (seconds % 1))))
    return fails(grpc.StatusCode.RESOURCE_EXHAUSTED, "60 s are queued already.", info("OVERLOADED"), delay)


@pytest.fixture
def late_address() -> Iterator[str]:
    """An address of a peer that starts late: calls are refused before."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    servers: list[grpc.Server] = []

    def open_late() -> None:
        server = grpc.server(ThreadPoolExecutor(4))
        add_CatalogServiceServicer_to_server(Peer(), server)
        server.add_insecure_port(f"127.0.0.1:{port}")
        server.start()
        servers.append(server)

    timer = threading.Timer(1.5, open_late)
    timer.start()
    yield f"127.0.0.1:{port}"
    timer.join()
    servers[0].stop(None)


async def test_a_server_that_is_starting(peer: Peer) -> None:
    """Both clients try again after the time that the server names, more often than gRPC's own three retries."""
    peer.behaviours += [starts(0.05)] * 12
    with Client(peer.address, wait_for_ready=True, timeout=PATIENCE_SECONDS) as client:
        assert 5 == client.status().track_count
    peer.behaviours += [starts(0.05)] * 12
    async with AsyncClient(peer.address, wait_for_ready=True, timeout=PATIENCE_SECONDS) as async_client:
        assert 5 == (await async_client.status()).track_count


def test_the_pause_that_a_server_names(peer: Peer) -> None:
    """A pause that is longer than the rest of the time limit is not begun."""
    peer.behaviours += [starts(60)] * 4
    begun = time.monotonic()
    with pytest.raises(StartingError), Client(peer.address, wait_for_ready=True, timeout=50) as client:
        client.status()
    assert time.monotonic() - begun < 45


async def test_an_overloaded_server(call: CallMethod, peer: Peer) -> None:
    """A call that is refused is sent again after the pause that the server names, until it succeeds."""
    peer.behaviours += [overloaded(0.02)] * 5
    assert 5 == (await call(peer.address, "status")).track_count
    assert 6 == len(peer.received)


async def test_a_server_that_stays_overloaded(call: CallMethod, peer: Peer) -> None:
    """A pause that is longer than the rest of the time limit is not begun: the refusal is raised."""
    peer.behaviours += [overloaded(0.02)] * 2 + [overloaded(1_000)]
    with pytest.raises(OverloadedError, match="queued already"):
        await call(peer.address, "status")
    assert 3 == len(peer.received)


def test_a_refused_command_says_so(peer: Peer) -> None:
    """The command says once that it tries again, also with --no-wait, which is for servers that are not there."""
    peer.behaviours += [overloaded(0.02)] * 3
    result = CliRunner(env={"SEGUE_ADDRESS": peer.address}).invoke(main, ["status", "--no-wait"])
    assert 0 == result.exit_code
    assert ["segue: 60 s are queued already. Trying again, at most 60 s."] == result.stderr.splitlines()


def test_a_server_that_comes_late(late_address: str) -> None:
    """The client connects when the server is there."""
    with Client(late_address, wait_for_ready=True, timeout=PATIENCE_SECONDS) as client:
        assert 5 == client.status().track_count


def test_without_waiting(peer: Peer) -> None:
    """Without wait_for_ready, the first failure is raised."""
    peer.behaviours += [starts(0.05)] * 12
    with pytest.raises(StartingError), Client(peer.address) as client:
        client.status()


def test_a_failure_of_tls_is_not_waited_for(tmp_path: Path) -> None:
    """A wrong root certificate is reported at once, not after the time limit."""
    authority, other = trustme.CA(), trustme.CA()
    # Of a name with two addresses, gRPC may report the one that refuses connections.
    certificate = authority.issue_cert("127.0.0.1")
    keys = [(certificate.private_key_pem.bytes(), certificate.cert_chain_pems[0].bytes())]
    wrong_root = tmp_path / "root.pem"
    wrong_root.write_bytes(other.cert_pem.bytes())
    with serving(tls=grpc.ssl_server_credentials(keys)) as peer:
        credentials = Credentials(ca=wrong_root)
        begun = time.monotonic()
        with (
            pytest.raises(ServerUnreachableError, match="TLS"),
            Client(peer.address, timeout=60, wait_for_ready=True, credentials=credentials) as client,
        ):
            client.status()
    assert time.monotonic() - begun < 45


def test_the_command_says_what_it_waits_for(peer: Peer) -> None:
    """It waits by default, and says so once on standard error."""
    peer.behaviours += [starts(0.05)] * 12
    result = CliRunner(env={"SEGUE_ADDRESS": peer.address}).invoke(main, ["status"])
    assert 0 == result.exit_code
    assert ["segue: The server is starting. Waiting for it, at most 60 s."] == result.stderr.splitlines()


def test_the_command_without_waiting(peer: Peer) -> None:
    """With --no-wait, the first failure ends it."""
    peer.behaviours += [starts(0.05)] * 12
    result = CliRunner(env={"SEGUE_ADDRESS": peer.address}).invoke(main, ["status", "--no-wait"])
    assert (1, "segue: The server is starting.\n") == (result.exit_code, result.stderr)
