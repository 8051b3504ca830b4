"""Repeats what fails for a while: Redis is away, another process writes, the disk is full."""

from __future__ import annotations

import time
from collections.abc import Callable

from segue.core.errors import CatalogueLocked, SegueError

_FIRST_SECONDS = 0.25
_LATEST_SECONDS = 30.0
# The lock may be free for a moment only, when two processes watch.
_LATEST_LOCK_SECONDS = 2.0
# Shorter failures are not worth a line.
_QUIET_SECONDS = 3.0


class Patience:
    """Waits longer after each failure, and says once that it waits, and once that it no longer does."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Has seen no failure.

        Args:
            clock: returns the time in seconds.
        """
        self._clock = clock
        self._since: float | None = None
        self._pause = 0.0
        self._next = 0.0
        self._said = ""

    def may_try(self) -> bool:
        """Returns whether the pause after the last failure is over."""
        return self._clock() >= self._next

    def seconds_left(self) -> float:
        """Returns the seconds until the next try, 0 or above."""
        return max(0.0, self._next - self._clock())

    def failed(self, error: SegueError) -> bool:
        """Notes a failure, and returns whether to report it: when it has lasted for a while, or is another one."""
        now = self._clock()
        self._since = now if self._since is None else self._since
        latest = _LATEST_LOCK_SECONDS if isinstance(error, CatalogueLocked) else _LATEST_SECONDS
        self._pause = min(max(_FIRST_SECONDS, 2 * self._pause), latest)
        self._next = now + self._pause
        if now - self._since < _QUIET_SECONDS or self._said == error.reason:
            return False
        self._said = error.reason
        return True

    def succeeded(self) -> bool:
        """Notes a success, and returns whether a failure was reported before it."""
        was_reported, self._said = self._said != "", ""
        self._since, self._pause, self._next = None, 0.0, 0.0
        return was_reported
