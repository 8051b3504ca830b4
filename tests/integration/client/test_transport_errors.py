"""Failures of the transport, provoked with the installed gRPC, whose English sentences the client distinguishes."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import grpc
import pytest
import trustme

from segue.client import (
    Client,
    Credentials,
    DeadlineExceededError,
    MessageTooLargeError,
    OverloadedError,
    SegueError,
    ServerError,
    ServerUnreachableError,
)
from segue.v1.catalog_service_pb2 import GetTrackRequest, GetTrackResponse
from segue.v1.track_pb2 import Track
from tests.helpers.machine.waiting import PATIENCE_SECONDS, wait_until
from tests.integration.client.behaviours import hangs
from tests.integration.client.conftest import CallMethod, Peer, serving

CA, OTHER_CA = trustme.CA(), trustme.CA()
TOO_LARGE = 33 * 2**20  # the client's own limit is 32 MiB in both directions


def server_credentials(name: str) -> grpc.ServerCredentials:
    """Issues a certificate for a server of that name."""
    certificate = CA.issue_cert(name)
    chain = b"".join(pem.bytes() for pem in certificate.cert_chain_pems)
    return grpc.ssl_server_credentials([(certificate.private_key_pem.bytes(), chain)])


def failure(address: str, credentials: Credentials | None = None) -> SegueError:
    """Returns the error of a call that fails."""
    with Client(address, timeout=PATIENCE_SECONDS, credentials=credentials) as client:
        with pytest.raises(SegueError) as raised:
            client.status()
        return raised.value


def check(error: SegueError, kind: type[SegueError], words: str) -> None:
    """Checks an error, and shows gRPC's version and sentence where it is another."""
    sentence = f"grpc {grpc.__version__} says: {error.metadata['transport']}"
    assert kind is type(error), sentence
    assert words in error.message, sentence


@pytest.mark.parametrize(("ca", "name"), [(OTHER_CA, "127.0.0.1"), (CA, "other.example")], ids=["roots", "name"])
def test_untrusted_server(tmp_path: Path, ca: trustme.CA, name: str) -> None:
    """A server with an untrusted certificate, or one for another name, is a failure of TLS."""
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with serving(tls=server_credentials(name)) as peer:
        error = failure(peer.address, Credentials(ca=tmp_path / "ca.pem"))
    check(error, ServerUnreachableError, f"TLS with {peer.address} failed: check the trusted roots")


def test_plain_text_to_a_tls_server() -> None:
    """A client without TLS suggests TLS when the server closes the connection."""
    with serving(tls=server_credentials("127.0.0.1")) as peer:
        error = failure(peer.address)
    check(error, ServerUnreachableError, f"{peer.address} closed the connection: if its server uses TLS")


@pytest.mark.parametrize("has_roots", [False, True])
def test_tls_to_a_plain_server(tmp_path: Path, has_roots: bool) -> None:
    """A client with TLS says that the server has none."""
    CA.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with serving() as peer:
        error = failure(peer.address, Credentials(ca=tmp_path / "ca.pem") if has_roots else Credentials(tls=True))
    check(error, ServerUnreachableError, f"{peer.address} does not use TLS: leave out the TLS options")


def test_a_server_of_web_pages() -> None:
    """A program that does not speak gRPC is no server that is missing."""
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as web, ThreadPoolExecutor(1) as threads:
        threads.submit(web.serve_forever)
        error = failure(f"127.0.0.1:{web.server_port}")
        web.shutdown()
    check(error, ServerUnreachableError, "is not a Segue server, since it does not speak gRPC")


async def test_no_server(call: CallMethod) -> None:
    """An address without a server says how to start one."""
    with pytest.raises(SegueError) as raised:
        await call("127.0.0.1:1", "status")
    check(raised.value, ServerUnreachableError, "No Segue server answers at 127.0.0.1:1: start one there")


async def test_timeout(call: CallMethod, peer: Peer) -> None:
    """A response that does not come in time names the limit."""
    peer.behaviours.append(hangs)
    with pytest.raises(SegueError) as raised:
        await call(peer.address, "classify", b"RIFF", timeout=0.2)
    check(raised.value, DeadlineExceededError, f"No response came from {peer.address} within 0.2 s")


async def test_message_larger_than_the_server_accepts(call: CallMethod) -> None:
    """A request that the server's transport refuses is too large, and no handler receives it."""
    with serving(max_receive_bytes=2**20) as peer:
        with pytest.raises(SegueError) as raised:
            await call(peer.address, "classify", bytes(2 * 2**20))
        assert [] == peer.received
    check(raised.value, MessageTooLargeError, "send a shorter or compressed file")


async def test_message_larger_than_the_client_sends(call: CallMethod, peer: Peer) -> None:
    """A request that the client's own transport refuses is too large."""
    with pytest.raises(SegueError) as raised:
        await call(peer.address, "get_track", "0" * TOO_LARGE)
    check(raised.value, MessageTooLargeError, "larger than the transport")


class LargePeer(Peer):
    """Responds with a track whose message is larger than the client receives."""

    def GetTrack(self, request: GetTrackRequest, context: grpc.ServicerContext) -> GetTrackResponse:  # noqa: N802 - the contract's name
        """Returns a large track."""
        return GetTrackResponse(track=Track(title="x" * TOO_LARGE))


async def test_message_larger_than_the_client_receives(call: CallMethod) -> None:
    """A response that the client's transport refuses is too large."""
    with serving(LargePeer) as peer, pytest.raises(SegueError) as raised:
        await call(peer.address, "get_track", "id")
    check(raised.value, MessageTooLargeError, "larger than the transport")


def test_headers_too_large(peer: Peer) -> None:
    """Headers that the server refuses are no overload: they would be as large at the next try."""
    error = failure(peer.address, Credentials(token="x" * 100_000))
    check(error, ServerError, "failed with RESOURCE_EXHAUSTED")


def test_too_many_calls() -> None:
    """A server whose transport accepts no more calls is overloaded."""
    with serving(max_calls=1) as peer, ThreadPoolExecutor(1) as threads:
        peer.behaviours.append(hangs)
        with Client(peer.address, timeout=PATIENCE_SECONDS) as client:
            threads.submit(client.status)
            wait_until(lambda: 1 == len(peer.received))
            check(failure(peer.address), OverloadedError, "accepts no more calls at present")


@pytest.fixture
def empty_server() -> Iterator[str]:
    """The address of a gRPC server without any service."""
    server = grpc.server(ThreadPoolExecutor(1))
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    yield address
    server.stop(None).wait()


def test_another_program(empty_server: str) -> None:
    """A gRPC server that is not Segue is named as such."""
    check(failure(empty_server), ServerError, "does not have this method: it is an older Segue or not Segue")
