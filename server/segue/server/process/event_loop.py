"""The event loop of the server."""

from __future__ import annotations

import asyncio


def new_event_loop() -> asyncio.AbstractEventLoop:
    """Returns a new event loop: uvloop's where that is installed, else Python's own."""
    try:
        import uvloop  # noqa: PLC0415 - it is not there on every machine
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop
