"""Ports for servers that have to be told one before they start."""

from __future__ import annotations

import itertools
import random
import socket
from contextlib import suppress

# Below those that systems give to whoever connects, or asks for any: nobody is given one between here and its server.
_PORTS = itertools.count(random.randrange(20_000, 30_000))


def free_port() -> int:
    """A port that nobody has, and that is not answered twice."""
    for port in _PORTS:
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError("there is no end of numbers")
