"""What gRPC itself holds callers to, before any call is looked at."""

from __future__ import annotations

from typing import Any

MAX_MESSAGE_BYTES = 32 * 2**20
"""Above 16 MiB of audio a handler answers with a typed error; above this gRPC itself answers, with a bare one."""

MAX_CONNECTIONS = 512
MAX_CALLS_PER_CONNECTION = 256

KEEPALIVE_SECONDS = 60
"""A connection on which nothing comes for so long is asked whether anybody is there."""

KEEPALIVE_TIMEOUT_SECONDS = 20
"""How long the answer to that may take."""

MIN_PING_SECONDS = 10
"""Whoever asks an idle connection the same more often than this, again and again, is sent away."""

# What calls under way have left when their connection has come of age.
_AGE_GRACE_SECONDS = 300


def channel_options(connection_age: float) -> list[tuple[str, Any]]:
    """What a server is made with.

    Args:
        connection_age: after how many seconds callers are asked to connect anew, so that a balancer of connections
            spreads them; 0 for never.
    """
    options = {
        "grpc.max_receive_message_length": MAX_MESSAGE_BYTES,
        "grpc.max_send_message_length": MAX_MESSAGE_BYTES,
        "grpc.keepalive_time_ms": 1000 * KEEPALIVE_SECONDS,
        "grpc.keepalive_timeout_ms": 1000 * KEEPALIVE_TIMEOUT_SECONDS,
        "grpc.keepalive_permit_without_calls": 1,
        "grpc.http2.min_recv_ping_interval_without_data_ms": 1000 * MIN_PING_SECONDS,
        "grpc.http2.max_ping_strikes": 2,
        # A megabyte that becomes a gigabyte is measured only when it has: only identity, the lowest bit, is taken.
        "grpc.compression_enabled_algorithms_bitset": 1,
        "grpc.max_concurrent_streams": MAX_CALLS_PER_CONNECTION,
        "grpc.max_allowed_incoming_connections": MAX_CONNECTIONS,
        # Two servers on one port would share its calls without a word; the second must hear that the port is taken.
        "grpc.so_reuseport": 0,
    }
    if connection_age:
        options["grpc.max_connection_age_ms"] = int(1000 * connection_age)
        options["grpc.max_connection_age_grace_ms"] = 1000 * _AGE_GRACE_SECONDS
    return list(options.items())
