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
    """A space of some total size; not thread-safe."""

    def __init__(self, total: float) -> None:
        """Creates an empty space.

        Args:
            total: size of the space, above 0.
        """
        self._total = total
        self._parts: list[tuple[str, float]] = []

    @property
    def used(self) -> float:
        """The size of what is in use."""
        return sum(size for _, size in self._parts)

    def used_by(self, caller: str) -> float:
        """Returns the size of what a caller uses."""
        return sum(size for owner, size in self._parts if owner == caller)

    def shortage(self, caller: str, size: float) -> Shortage | None:
        """Returns what a caller lacks to use a part of some size, or None; the first part needs only to fit."""
        free, own = self._total - self.used - size, self.used_by(caller)
        if free < 0:
            return "space"
        return "share" if own and own + size > _SHARE_OF_FREE * free else None

    @contextmanager
    def using(self, caller: str, size: float) -> Iterator[None]:
        """Uses a part of the space for the duration of the block, even one that does not fit."""
        self._parts.append((caller, size))
        try:
            yield
        finally:
            self._parts.remove((caller, size))
