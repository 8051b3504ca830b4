"""Places for calls that last: whoever finds none is refused at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from segue.core.errors import Overloaded


class ConcurrencyLimit:
    """So many places of a kind; for one thread."""

    def __init__(self, most: int, taken_by: str) -> None:
        """Takes how many there are, at least 1, and who takes them, as it stands behind their number in a sentence."""
        self._most = most
        self._taken_by = taken_by
        self._taken = 0

    @contextmanager
    def acquire(self) -> Iterator[None]:
        """Holds a place.

        Raises:
            Overloaded: all are taken.
        """
        if self._taken >= self._most:
            raise Overloaded(f"{self._taken} {self._taken_by} already. Try again in a second.")
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1
