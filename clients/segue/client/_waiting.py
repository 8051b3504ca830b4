"""Waits for a server that is overloaded, not there yet, or still starting, and for more of a quota."""

from __future__ import annotations

import logging
import random
import time

from segue.client._error_mapping import is_refused
from segue.client.errors import DeadlineExceededError, OverloadedError, QuotaExceededError, SegueError, StartingError

_PAUSE_SECONDS = 0.5
# A server names the same pause to everyone, however long it has been overloaded.
_MAX_BACKOFF = 8
_MAX_JITTER = 0.5
_REFUSALS = (OverloadedError, QuotaExceededError)

_log = logging.getLogger("segue.client")


class Waiting:
    """The time limit of one call, and the pauses between its tries."""

    def __init__(
        self, timeout: float, *, is_allowed: bool, is_repeatable: bool = True, extra_seconds: float = 0.0
    ) -> None:
        """Starts the time limit.

        Args:
            timeout: time limit of the call in seconds, its tries and pauses included.
            is_allowed: True to wait for a server that is not there yet or is still starting; a call that was refused
                for an overload or a quota is sent again in any case.
            is_repeatable: False if the call cannot be sent again, so that the first failure is final.
            extra_seconds: seconds that the last try may take beyond the time limit, to send a large clip.
        """
        self._timeout = timeout
        self._deadline = time.monotonic() + timeout
        self._is_allowed = is_allowed
        self._is_repeatable = is_repeatable
        self._extra_seconds = extra_seconds
        self._waited_for: SegueError | None = None
        self._refusals = 0

    @property
    def seconds_left(self) -> float:
        """The time that the next try may take in seconds, at least a millisecond."""
        return max(1e-3, self._deadline - time.monotonic()) + self._extra_seconds

    def pause_after(self, error: SegueError) -> float:
        """Returns the seconds until the next try.

        Raises:
            SegueError: ``error`` itself, if waiting does not help or the time limit would pass; the error before, if
                the time limit has passed in the last try.
        """
        if self._waited_for and isinstance(error, DeadlineExceededError):
            raise self._waited_for
        pause = self._pause(error)
        if pause is None or pause > self._deadline - time.monotonic():
            raise error
        if not self._waited_for:
            action = "Trying again" if isinstance(error, _REFUSALS) else "Waiting for it"
            _log.info("%s %s, at most %g s.", error, action, self._timeout)
        self._waited_for = error
        return pause

    def _pause(self, error: SegueError) -> float | None:
        """Returns the seconds until the next try, or None if there is none."""
        if not self._is_repeatable:
            return None
        if isinstance(error, _REFUSALS) and error.retry_after:
            factor = min(1 << self._refusals, _MAX_BACKOFF)
            self._refusals += 1
            jitter = random.uniform(1, 1 + _MAX_JITTER)  # noqa: S311 - spreads calls, and hides nothing
            return error.retry_after * factor * jitter
        if self._is_allowed and _may_pass(error):
            return error.retry_after or _PAUSE_SECONDS
        return None


def _may_pass(error: SegueError) -> bool:
    """Returns whether the server may start within seconds. A failure of TLS, for example, does not pass."""
    return isinstance(error, StartingError) or is_refused(error)
