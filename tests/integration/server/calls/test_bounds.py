"""What a server bears of callers who take too much: connections, streams, pings, requests that never end."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.helpers.clips import wav
from tests.helpers.http2 import GOAWAY, PING, SETTINGS, connection, frame
from tests.helpers.servers import RunningServer, running_server
from tests.helpers.stubs import Stubs, failure
from tests.helpers.waiting import wait_until

CLASSIFY = "/segue.v1.ClassificationService/Classify"
CONNECTIONS, STREAMS = 512, 256
# RFC 9113
MAX_CONCURRENT_STREAMS, ENHANCE_YOUR_CALM = 3, 11


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Iterator[RunningServer]:
    """A server that takes on as little as can be."""
    data = tmp_path_factory.mktemp("bounded")
    with running_server("--data", str(data), "--model", str(tiny_model), "--queue-seconds", "1") as running:
        yield running


@pytest.fixture
def connected(server: RunningServer) -> Iterator[socket.socket]:
    """A connection that has said hello in HTTP/2."""
    with connection(server.address) as opened:
        yield opened


def payload(connection: socket.socket, wanted: int) -> bytes:
    """The payload of the next frame of a kind."""
    stream = connection.makefile("rb")
    while header := stream.read(9):
        content = stream.read(int.from_bytes(header[:3]))
        if wanted == header[3]:
            return content
    pytest.fail("the server hung up without it")


def test_streams_of_a_connection(connected: socket.socket) -> None:
    """The server tells every client how many calls a connection may have under way."""
    settings = dict(struct.iter_unpack(">HI", payload(connected, SETTINGS)))
    assert STREAMS == settings[MAX_CONCURRENT_STREAMS]


def test_pings_without_end(connected: socket.socket) -> None:
    """Who pings all the time is sent away, and told why."""
    connected.sendall(5 * frame(PING, bytes(8)))
    last_stream_and_code = struct.unpack(">II", payload(connected, GOAWAY)[:8])
    assert ENHANCE_YOUR_CALM == last_stream_and_code[1]


def test_connections(server: RunningServer) -> None:
    """More connections than the server takes are closed at once; those that stand are answered, and room comes back."""
    host, _, port = server.address.rpartition(":")
    stubs = Stubs(server.address)
    assert stubs.status().server_version
    with ExitStack() as stack:
        open_ = [stack.enter_context(socket.create_connection((host, int(port)))) for _ in range(CONNECTIONS + 20)]
        wait_until(lambda: 20 <= sum(closed(connection) for connection in open_))
        assert stubs.classify(wav(5)).scores
    wait_until(lambda: answers(server.address))


def closed(connection: socket.socket) -> bool:
    """Whether the server has hung up."""
    connection.setblocking(False)
    try:
        return b"" == connection.recv(2**16, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


def answers(address: str) -> bool:
    """Whether a new connection is answered."""
    try:
        return bool(Stubs(address).status().server_version)
    except grpc.RpcError:
        return False


async def test_requests_that_never_end(server: RunningServer) -> None:
    """However many never send their request, others are refused in words, and the health goes on being told."""
    alone = [("grpc.use_local_subchannel_pool", 1)]
    channels: list[Any] = [grpc.aio.insecure_channel(server.address, alone) for _ in range(2)]
    halves = [channel.stream_unary(CLASSIFY)() for channel in channels for _ in range(STREAMS)]
    stubs = Stubs(server.address)
    await asyncio.to_thread(wait_until, lambda: "OVERLOADED" == reason(stubs))
    assert 1 == await asyncio.to_thread(stubs.health, "")
    for half in halves:
        half.cancel()
    await asyncio.to_thread(wait_until, lambda: "" == reason(stubs))
    for channel in channels:
        await channel.close()


def reason(stubs: Stubs) -> str:
    """Why a call is refused, or nothing where it is answered."""
    try:
        stubs.classify(wav(5))
    except grpc.RpcError as error:
        return failure(pytest.ExceptionInfo.from_exception(error))[1]
    return ""
