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
        opened.sendall(PREFACE)
        yield opened


def frame(kind: int, payload: bytes = b"", flags: int = 0, stream: int = 0) -> bytes:
    """Returns a frame; stream 0 is the connection as a whole."""
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS)
"""The first bytes of a connection."""


def call(method: str, message: bytes, metadata: dict[bytes, bytes]) -> bytes:
    """Returns the frames that begin a gRPC call on stream 1 and send its first message."""
    return unfinished_call(method, len(message), 0, metadata) + frame(DATA, message, stream=1)


def unfinished_call(method: str, size: int, sent: int, metadata: dict[bytes, bytes], stream: int = 1) -> bytes:
    """Returns the frames that begin a gRPC call, and send the first bytes of its message.

    Args:
        method: full name of the method.
        size: size of the message in bytes, as its header says.
        sent: number of bytes to send, zeros.
        metadata: headers of the call.
        stream: number of the stream, odd.
    """
    headers = {b":path": method.encode(), b":authority": b"test", b"content-type": b"application/grpc"}
    headers |= {b"te": b"trailers", **metadata}
    # 0x83 and 0x86 are ":method POST" and ":scheme http" in HPACK; the others are literals.
    block = b"\x83\x86" + b"".join(_literal(name) + _literal(value, b"") for name, value in headers.items())
    body = b"\0" + struct.pack(">I", size) + bytes(sent)
    return frame(HEADERS, block, _END_HEADERS, stream) + frame(DATA, body, stream=stream)


def _literal(text: bytes, prefix: bytes = b"\0") -> bytes:
    return prefix + bytes([len(text)]) + text
