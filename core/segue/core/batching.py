"""Splits any stream of items into lists."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yields lists of up to ``size`` items in order, and reads no further ahead than the current list.

    ``itertools.batched`` does the same from Python 3.12 on.
    """
    remaining = iter(items)
    while batch := list(islice(remaining, size)):
        yield batch
