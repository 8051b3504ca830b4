"""Waiting for a condition, on a machine of any speed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

PATIENCE_SECONDS = 120
"""The longest time to wait for anything that takes a moment on an idle machine."""


def wait_until(condition: Callable[[], bool]) -> None:
    """Waits until a condition is true, and fails if it never is."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"the condition was not true within {PATIENCE_SECONDS} s"
        time.sleep(0.05)


async def wait_until_async(condition: Callable[[], bool]) -> None:
    """Waits until a condition is true, without blocking the event loop, and fails if it never is."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"the condition was not true within {PATIENCE_SECONDS} s"
        await asyncio.sleep(0.02)
