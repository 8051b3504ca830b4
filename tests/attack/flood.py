"""Sends idle connections, unfinished messages, and streams that are reset at once, as a hostile machine does."""

from __future__ import annotations

import asyncio
import ssl
import struct
from contextlib import suppress
from typing import NamedTuple

from tests.helpers.server import http2

CLASSIFY = "/segue.v1.ClassificationService/Classify"
# Another address of this machine, so that it is another caller.
_SOURCE = ("127.0.0.2", 0)
_MESSAGE_BYTES = 2**25
_CALLS_PER_CONNECTION = 100
_RESET, _WINDOW_UPDATE = 3, 8
# The setting of the first window of each stream.
_FIRST_WINDOW = 4


class Target(NamedTuple):
    """The port under attack.

    Attributes:
        address: HOST:PORT.
        tls: True if it expects TLS.
        token: a valid token, or "".
    """

    address: str
    tls: bool
    token: str

    @property
    def metadata(self) -> dict[bytes, bytes]:
        """The headers of its calls."""
        return {b"authorization": f"Bearer {self.token}".encode()} if self.token else {}

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Opens a connection, with TLS if the port expects it."""
        host, _, port = self.address.rpartition(":")
        context = None
        if self.tls:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            context.set_alpn_protocols(["h2"])
        return await asyncio.open_connection(host, int(port), ssl=context, local_addr=_SOURCE)

    async def connect_silently(self) -> asyncio.StreamWriter:
        """Opens a connection and sends nothing."""
        host, _, port = self.address.rpartition(":")
        return (await asyncio.open_connection(host, int(port), local_addr=_SOURCE))[1]


async def keep_idle(target: Target, silent: int, greeting: int) -> None:
    """Keeps connections open, some silent and some with HTTP/2's preface, and opens a new one for each that ends."""
    await asyncio.gather(
        *(_keep_one(target, greets=False) for _ in range(silent)),
        *(_keep_one(target, greets=True) for _ in range(greeting)),
    )


async def _keep_one(target: Target, *, greets: bool) -> None:
    while True:
        with suppress(OSError, asyncio.IncompleteReadError):
            if greets:
                reader, writer = await target.connect()
                writer.write(http2.PREFACE)
                await _read_to_end(reader)
            else:
                writer = await target.connect_silently()
                await writer.wait_closed()
        await asyncio.sleep(0.5)


async def send_half(target: Target, calls: int) -> None:
    """Begins calls with messages of 32 MiB, and sends half of each as far as the port accepts it."""
    connections = -(-calls // _CALLS_PER_CONNECTION)
    await asyncio.gather(*(_send_halves(target, _CALLS_PER_CONNECTION) for _ in range(connections)))


async def _send_halves(target: Target, calls: int) -> None:
    while True:
        with suppress(OSError, asyncio.IncompleteReadError):
            reader, writer = await target.connect()
            writer.write(http2.PREFACE)
            for number in range(calls):
                stream = 2 * number + 1
                writer.write(http2.unfinished_call(CLASSIFY, _MESSAGE_BYTES, 0, target.metadata, stream))
            await _send_as_permitted(reader, writer, {2 * number + 1: _MESSAGE_BYTES // 2 for number in range(calls)})
        await asyncio.sleep(1)


async def _send_as_permitted(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, missing: dict[int, int]
) -> None:
    """Sends bytes on each stream as far as the windows of the peer allow it, until the connection ends."""
    first_window = 65_535
    windows = dict.fromkeys([0, *missing], first_window)
    while True:
        for stream in [stream for stream in missing if missing[stream] and windows[stream] > 0]:
            while (size := min(missing[stream], windows[stream], windows[0], 16_384)) > 0:
                writer.write(http2.frame(http2.DATA, bytes(size), stream=stream))
                missing[stream] -= size
                windows[stream] -= size
                windows[0] -= size
        await writer.drain()
        header = await reader.readexactly(9)
        length, kind, stream = int.from_bytes(header[:3], "big"), header[3], int.from_bytes(header[5:], "big")
        payload = await reader.readexactly(length)
        if kind == _WINDOW_UPDATE and stream in windows:
            windows[stream] += struct.unpack(">I", payload)[0]
        elif kind == http2.SETTINGS and not header[4]:
            writer.write(http2.frame(http2.SETTINGS, flags=1))
            for name, value in struct.iter_unpack(">HI", payload):
                if name == _FIRST_WINDOW:
                    windows |= {one: windows[one] + value - first_window for one in missing}
                    first_window = value
        elif kind == http2.PING and not header[4]:
            # By the time of its pings, gRPC judges how large its windows should be.
            writer.write(http2.frame(http2.PING, payload, flags=1))
        elif kind == _RESET:
            missing.pop(stream, None)


async def reset_streams(target: Target, connections: int) -> None:
    """Opens streams and resets them at once, as fast as the port accepts it."""
    await asyncio.gather(*(_reset_repeatedly(target) for _ in range(connections)))


async def _reset_repeatedly(target: Target) -> None:
    while True:
        with suppress(OSError, asyncio.IncompleteReadError):
            reader, writer = await target.connect()
            writer.write(http2.PREFACE)
            ended = asyncio.ensure_future(_read_to_end(reader))
            for number in range(100_000):
                stream = 2 * number + 1
                begin = http2.unfinished_call(CLASSIFY, 8, 0, target.metadata, stream)
                writer.write(begin + http2.frame(_RESET, struct.pack(">I", 8), stream=stream))
                if number % 20 == 0:
                    await writer.drain()
                    await asyncio.sleep(0)
                if ended.done():
                    break
            await ended
            writer.close()
        await asyncio.sleep(0.1)


async def _read_to_end(reader: asyncio.StreamReader) -> None:
    with suppress(OSError):
        while await reader.read(2**16):
            pass
