"""Numbers for texts that many tracks share."""

from __future__ import annotations

from collections.abc import Callable

NONE = -1
"""The number of the empty text."""


class Labels:
    """Gives each different text a number, from 0 on; one thread may add while others read."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._texts: list[str] = []

    def number(self, text: str) -> int:
        """Returns the number of a text, a new one if need be; ``NONE`` for the empty text."""
        if not text:
            return NONE
        known = self._numbers.get(text)
        if known is None:
            known = len(self._texts)
            self._texts.append(text)
            self._numbers[text] = known
        return known

    def numbers_where(self, condition: Callable[[str], bool]) -> list[int]:
        """Returns the numbers of all texts that meet a condition."""
        return [number for number, text in enumerate(self._texts) if condition(text)]

    def find(self, texts: frozenset[str]) -> list[int]:
        """Returns the numbers of these texts, as far as they have one."""
        return [self._numbers[text] for text in texts if text in self._numbers]
