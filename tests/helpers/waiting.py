"""Waiting for what comes about in its own time, on however slow a machine."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE_SECONDS = 120
"""How long anything is waited for that comes at once on an idle machine."""


def wait_until(true: Callable[[], bool]) -> None:
    """Waits until something is so; fails where it never comes to be."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not true():
        assert time.monotonic() < end, f"waited in vain for {PATIENCE_SECONDS} s"
        time.sleep(0.05)
