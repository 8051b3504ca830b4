"""Callers who use too much: connections, streams, pings, requests that never end."""

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
from tests.helpers.machine.waiting import wait_until
from tests.helpers.server.http2 import GOAWAY, PING, SETTINGS, connection, frame
from tests.helpers.server.servers import RunningServer, running_server
from tests.helpers.server.stubs import Stubs, reason_of

CLASSIFY = "/segue.v1.ClassificationService/Classify"
MAX_CONNECTIONS, MAX_STREAMS = 512, 256
# RFC 9113
MAX_CONCURRENT_STREAMS, ENHANCE_YOUR_CALM = 3, 11


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Iterator[RunningServer]:
    """A server with the shortest queue."""
    data = tmp_path_factory.mktemp("bounded")
    with running_server("--data", str(data), "--model", str(tiny_model), "--queue-seconds", "1") as running:
        yield running


@pytest.fixture
def connected(server: RunningServer) -> Iterator[socket.socket]:
    """A connection to the server."""
    with connection(server.address) as opened:
        yield opened


def next_payload(connection: socket.socket, kind: int) -> bytes:
    """The payload of the next frame of a kind."""
    stream = connection.makefile("rb")
    while header := stream.read(9):
        payload = stream.read(int.from_bytes(header[:3]))
        if kind == header[3]:
            return payload
    pytest.fail("the server hung up without it")


def test_streams_of_a_connection(connected: socket.socket) -> None:
    """The settings of a connection limit the number of its concurrent calls."""
    settings = dict(struct.iter_unpack(">HI", next_payload(connected, SETTINGS)))
    assert MAX_STREAMS == settings[MAX_CONCURRENT_STREAMS]


def test_too_many_pings(connected: socket.socket) -> None:
    """The server closes the connection of a client that pings all the time, with a reason."""
    connected.sendall(5 * frame(PING, bytes(8)))
    _last_stream, code = struct.unpack(">II", next_payload(connected, GOAWAY)[:8])
    assert ENHANCE_YOUR_CALM == code


def test_too_many_connections(server: RunningServer) -> None:
    """Connections above the limit are closed at once, the others work, and closed ones make room."""
    host, _, port = server.address.rpartition(":")
    stubs = Stubs(server.address)
    assert stubs.status().server_version
    with ExitStack() as stack:
        connections = [
            stack.enter_context(socket.create_connection((host, int(port)))) for _ in range(MAX_CONNECTIONS + 20)
        ]
        wait_until(lambda: 20 <= sum(is_closed(connection) for connection in connections))
        assert stubs.classify(wav(5)).scores
    wait_until(lambda: can_connect(server.address))


def is_closed(connection: socket.socket) -> bool:
    """True if the server has closed a connection."""
    connection.setblocking(False)
    try:
        return b"" == connection.recv(2**16, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


def can_connect(address: str) -> bool:
    """True if a call on a new connection succeeds."""
    try:
        return bool(Stubs(address).status().server_version)
    except grpc.RpcError:
        return False


async def test_requests_that_never_end(server: RunningServer) -> None:
    """While many callers never send their request, others get a typed error, and health answers."""
    own_connection = [("grpc.use_local_subchannel_pool", 1)]
    channels: list[Any] = [grpc.aio.insecure_channel(server.address, own_connection) for _ in range(2)]
    calls = [channel.stream_unary(CLASSIFY)() for channel in channels for _ in range(MAX_STREAMS)]
    stubs = Stubs(server.address)
    await asyncio.to_thread(wait_until, lambda: "OVERLOADED" == outcome(stubs))
    assert 1 == await asyncio.to_thread(stubs.health, "")
    for call in calls:
        call.cancel()
    await asyncio.to_thread(wait_until, lambda: "OK" == outcome(stubs))
    for channel in channels:
        await channel.close()


def outcome(stubs: Stubs) -> str:
    """OK, or the reason of a failed call."""
    try:
        stubs.classify(wav(5))
    except grpc.RpcError as error:
        return reason_of(error)
    return "OK"
