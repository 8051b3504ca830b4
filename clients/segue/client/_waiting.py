"""Waits for a server that is not there yet, or is still starting."""

from __future__ import annotations

import logging
import time

from segue.client._error_mapping import is_refused
from segue.client.errors import DeadlineExceededError, SegueError, StartingError

_PAUSE_SECONDS = 0.5

_log = logging.getLogger("segue.client")


class Waiting:
    """The time limit of one call, and the pauses between its tries."""

    def __init__(self, timeout: float, *, is_allowed: bool) -> None:
        """Starts the time limit.

        Args:
            timeout: time limit of the call in seconds, its tries and pauses included.
            is_allowed: False if the first failure is final.
        """
        self._timeout = timeout
        self._deadline = time.monotonic() + timeout
        self._is_allowed = is_allowed
        self._waited_for: SegueError | None = None

    @property
    def seconds_left(self) -> float:
        """The rest of the time limit in seconds, at least a millisecond."""
        return max(1e-3, self._deadline - time.monotonic())

    def pause_after(self, error: SegueError) -> float:
        """Returns the seconds until the next try.

        Raises:
            SegueError: ``error`` itself, if waiting does not help or the time limit would pass; the error before, if
                the time limit has passed in the last try.
        """
        if self._waited_for and isinstance(error, DeadlineExceededError):
            raise self._waited_for
        pause = error.retry_after or _PAUSE_SECONDS
        if not (self._is_allowed and _may_pass(error)) or pause > self._deadline - time.monotonic():
            raise error
        if not self._waited_for:
            _log.info("%s Waiting for it, at most %g s.", error, self._timeout)
        self._waited_for = error
        return pause


def _may_pass(error: SegueError) -> bool:
    """Returns whether the server may start within seconds. A failure of TLS, for example, does not pass."""
    return isinstance(error, StartingError) or is_refused(error)
