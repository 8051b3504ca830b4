"""Limit on the number of long calls: a call above it is rejected at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from segue.core.errors import Overloaded


class ConcurrencyLimit:
    """Limits the number of concurrent blocks; not thread-safe."""

    def __init__(self, limit: int, description: str) -> None:
        """Creates a limit.

        Args:
            limit: largest number of concurrent blocks, at least 1.
            description: end of the error message after their number, such as "streams are open".
        """
        self._limit = limit
        self._description = description
        self._acquired = 0

    @contextmanager
    def acquire(self) -> Iterator[None]:
        """Occupies a slot for the duration of the block.

        Raises:
            Overloaded: no slot is free.
        """
        if self._acquired >= self._limit:
            raise Overloaded(f"{self._acquired} {self._description} already. Try again in a second.")
        self._acquired += 1
        try:
            yield
        finally:
            self._acquired -= 1
