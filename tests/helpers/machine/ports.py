"""Ports for servers that need to know theirs before they start."""

from __future__ import annotations

import itertools
import random
import socket
from contextlib import suppress

# Below the ports that systems choose themselves, so that no other program gets one before its server starts.
_PORTS = itertools.count(random.randrange(20_000, 30_000))


def free_port() -> int:
    """Returns a port that is free, and a different one at each call."""
    for port in _PORTS:
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError("the numbers of ports are endless")
