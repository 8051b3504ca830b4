"""Decides when the index of a catalogue that changes all the time is published."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

# Servers follow each change by themselves. The index only saves them time at their start, and has the groups of copies.
_QUIET_SECONDS = 60.0
_LATEST_SECONDS = 600.0
# Building an index reads all embeddings, so it must not take more than this share of the time.
_SHARE = 1 / 20


class Publication:
    """Knows whether the published index lacks changes, and whether it should have them now."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Assumes that the published index lacks nothing.

        Args:
            clock: returns the time in seconds.
        """
        self._clock = clock
        self._first_change: float | None = None
        self._last_change = 0.0
        self._earliest = 0.0

    @property
    def lacks_changes(self) -> bool:
        """True if the catalogue changed since the index was published."""
        return self._first_change is not None

    def note_change(self) -> None:
        """Notes that the catalogue changed."""
        self._last_change = self._clock()
        if self._first_change is None:
            self._first_change = self._last_change

    def hasten(self) -> None:
        """Notes that the index lacks changes that should not wait."""
        self._first_change = self._earliest = -math.inf

    def note_published(self, seconds: float) -> None:
        """Notes that the index was published, which took so many seconds."""
        self._first_change = None
        self._earliest = self._clock() + seconds / _SHARE

    def is_due(self) -> bool:
        """Returns whether to publish the index now: after a quiet minute, or ten minutes after the first change."""
        if self._first_change is None or self._clock() < self._earliest:
            return False
        is_quiet = self._clock() - self._last_change >= _QUIET_SECONDS
        return is_quiet or self._clock() - self._first_change >= _LATEST_SECONDS
