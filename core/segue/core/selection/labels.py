"""Numbers for texts that many tracks share."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

NONE = -1
"""The number of the empty text."""


class Labelled(NamedTuple):
    """The numbers of the group of copies that a track is in, of its artist and its album; ``NONE`` if there is none."""

    copies: int
    artist: int
    album: int


class Labels:
    """Gives each different text a number, from 0 on; one thread may add while others read."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._sorted: tuple[list[str], NDArray[np.int32]] = [], np.zeros(0, np.int32)

    def number(self, text: str) -> int:
        """Returns the number of a text, a new one if need be; ``NONE`` for the empty text."""
        return self._numbers.setdefault(text, len(self._numbers)) if text else NONE

    def text(self, number: int) -> str:
        """Returns the text of a number; "" for ``NONE``. It takes time in proportion to the number of texts."""
        return next((text for text, known in self._numbers.copy().items() if known == number), "")

    def with_texts(self, texts: Iterable[str]) -> NDArray[np.bool_]:
        """Returns a mask [labels + 1] by number, True for these texts; the last place is that of ``NONE``."""
        numbers = self._numbers
        return self._mask([numbers[text] for text in texts if text in numbers])

    def with_prefixes(self, prefixes: Iterable[str]) -> NDArray[np.bool_]:
        """Returns a mask [labels + 1] by number, True for texts that begin with one of these."""
        texts, numbers = self._in_order()
        mask = self._mask([])
        for prefix in prefixes:
            # Texts with the same beginning follow each other.
            first, last = bisect_left(texts, prefix), bisect_left(texts, prefix + "\U0010ffff")
            mask[numbers[first:last]] = True
        return mask

    def _mask(self, numbers: list[int]) -> NDArray[np.bool_]:
        mask = np.zeros(len(self._numbers) + 1, np.bool_)
        mask[numbers] = True
        return mask

    def _in_order(self) -> tuple[list[str], NDArray[np.int32]]:
        """Returns the texts in order, with their numbers."""
        known = self._sorted
        if len(known[0]) != len(self._numbers):
            pairs = sorted(self._numbers.copy().items())
            known = [text for text, _ in pairs], np.array([number for _, number in pairs], np.int32)
            self._sorted = known
        return known
