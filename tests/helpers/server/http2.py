"""HTTP/2 by hand, for what no gRPC client sends (RFC 9113)."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager

DATA, HEADERS, SETTINGS, PING, GOAWAY = 0, 1, 4, 6, 7
_END_HEADERS = 4


@contextmanager
def connection(address: str) -> Iterator[socket.socket]:
    """A connection to HOST:PORT after the preface of HTTP/2."""
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=30) as opened:
        opened.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS))
        yield opened


def frame(kind: int, payload: bytes = b"", flags: int = 0, stream: int = 0) -> bytes:
    """Returns a frame; stream 0 is the connection as a whole."""
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def call(method: str, message: bytes, metadata: dict[bytes, bytes]) -> bytes:
    """Returns the frames that begin a gRPC call on stream 1 and send its first message."""
    headers = {b":path": method.encode(), b":authority": b"test", b"content-type": b"application/grpc"}
    headers |= {b"te": b"trailers", **metadata}
    # 0x83 and 0x86 are ":method POST" and ":scheme http" in HPACK; the others are literals.
    block = b"\x83\x86" + b"".join(_literal(name) + _literal(value, b"") for name, value in headers.items())
    body = b"\0" + struct.pack(">I", len(message)) + message
    return frame(HEADERS, block, _END_HEADERS, 1) + frame(DATA, body, stream=1)


def _literal(text: bytes, prefix: bytes = b"\0") -> bytes:
    return prefix + bytes([len(text)]) + text
