"""Divides a limited space among callers, so that none of them can fill it.

A caller may have up to four times the space that stays free: four fifths alone, four ninths with another one of its
kind. So each further caller finds space.

Source: A. Choudhury, E. Hahne, "Dynamic queue length thresholds for shared-memory packet switches", IEEE/ACM
Transactions on Networking 6(2), 1998.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

# How much a caller may have of what stays free.
_SHARE_OF_FREE = 4.0

Shortage = Literal["space", "share"]
"""What is missing: free space, or only the caller's share of it."""


class FairShares:
    """A space of some total size; not thread-safe.

    Attributes:
        used: size of what is in use.
    """

    def __init__(self, total: float) -> None:
        """Creates an empty space.

        Args:
            total: size of the space, above 0.
        """
        self.used = 0.0
        self._total = total
        self._parts: dict[str, list[float]] = {}

    def used_by(self, caller: str) -> float:
        """Returns the size of what a caller uses."""
        return sum(self._parts.get(caller, ()))

    def shortage(self, caller: str, size: float) -> Shortage | None:
        """Returns what a caller lacks to use a part of some size, or None; the first part needs only to fit."""
        free, own = self._total - self.used - size, self.used_by(caller)
        if free < 0:
            return "space"
        return "share" if own and own + size > _SHARE_OF_FREE * free else None

    @contextmanager
    def using(self, caller: str, size: float) -> Iterator[None]:
        """Uses a part of the space for the duration of the block, even one that does not fit."""
        parts = self._parts.setdefault(caller, [])
        parts.append(size)
        self.used += size
        try:
            yield
        finally:
            parts.remove(size)
            self.used -= size
            if not parts:
                del self._parts[caller]
            if not self._parts:
                self.used = 0.0  # without the rounding errors
