"""gRPC channel options: limits that gRPC itself enforces before a call reaches Segue's code."""

from __future__ import annotations

from typing import Any

MARGIN_BYTES = 16 * 2**20
"""Audio above the limit of a clip gets a typed error from a handler; a message that is larger by more than this margin
gets gRPC's own bare error."""

MAX_CONNECTIONS = 512
HANDSHAKE_SECONDS = 10
"""Seconds in which a new connection must have shown that it is one of gRPC."""

IDLE_SECONDS = 60
"""Seconds without a call after which a connection is closed; clients connect again for their next call."""

MAX_CALLS_PER_CONNECTION = 256

KEEPALIVE_SECONDS = 60
"""Seconds without traffic after which the server pings a connection."""

KEEPALIVE_TIMEOUT_SECONDS = 20
"""Seconds in which the client must answer that ping."""

MIN_PING_SECONDS = 10
"""Shortest interval between pings of a client on an idle connection; shorter ones end the connection."""

_HEALTH_MESSAGE_BYTES = 2**12

# Seconds that calls may still take on a connection that has reached its maximum age.
_AGE_GRACE_SECONDS = 300


_CONNECTION_OPTIONS = {
    "grpc.server_handshake_timeout_ms": 1000 * HANDSHAKE_SECONDS,
    "grpc.max_connection_idle_ms": 1000 * IDLE_SECONDS,
    "grpc.max_allowed_incoming_connections": MAX_CONNECTIONS,
    # Otherwise two servers on one port share its calls silently; the second one must fail.
    "grpc.so_reuseport": 0,
}

HEALTH_OPTIONS: list[tuple[str, Any]] = [
    *_CONNECTION_OPTIONS.items(),
    ("grpc.max_receive_message_length", _HEALTH_MESSAGE_BYTES),
    ("grpc.max_concurrent_streams", MAX_CALLS_PER_CONNECTION),
]
"""The options of a server for health checks alone."""


def max_message_bytes(clip_bytes: int) -> int:
    """Returns the largest size of a message that gRPC accepts, where a clip may have ``clip_bytes``."""
    return clip_bytes + MARGIN_BYTES


def channel_options(clip_bytes: int, max_connection_age: float) -> list[tuple[str, Any]]:
    """Returns the options of a server.

    Args:
        clip_bytes: largest clip in one message.
        max_connection_age: seconds after which clients must reconnect, so that a load balancer of connections spreads
            them; 0 disables it.
    """
    options = {
        "grpc.max_receive_message_length": max_message_bytes(clip_bytes),
        "grpc.max_send_message_length": max_message_bytes(clip_bytes),
        **_CONNECTION_OPTIONS,
        "grpc.keepalive_time_ms": 1000 * KEEPALIVE_SECONDS,
        "grpc.keepalive_timeout_ms": 1000 * KEEPALIVE_TIMEOUT_SECONDS,
        "grpc.keepalive_permit_without_calls": 1,
        "grpc.http2.min_recv_ping_interval_without_data_ms": 1000 * MIN_PING_SECONDS,
        "grpc.http2.max_ping_strikes": 2,
        # gRPC limits a compressed message only after it is decompressed, when a megabyte may have become a gigabyte. So
        # only uncompressed messages are accepted: identity is the lowest bit.
        "grpc.compression_enabled_algorithms_bitset": 1,
        "grpc.max_concurrent_streams": MAX_CALLS_PER_CONNECTION,
    }
    if max_connection_age:
        options["grpc.max_connection_age_ms"] = int(1000 * max_connection_age)
        options["grpc.max_connection_age_grace_ms"] = 1000 * _AGE_GRACE_SECONDS
    return list(options.items())
