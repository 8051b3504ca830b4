"""Counts how often a file is opened, by the interpreter's own audit events."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class OpenCounter:
    """The number of times that a file was opened while the counter was active."""

    def __init__(self, path: Path) -> None:
        self._path = os.path.realpath(path)
        self.count = 0

    def record(self, opened: object) -> None:
        """Counts the opening of a file if it is the counter's own."""
        if isinstance(opened, (str, os.PathLike)) and os.path.realpath(opened) == self._path:
            self.count += 1


_active: list[OpenCounter] = []


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and _active:
        for counter in _active:
            counter.record(arguments[0])


# A hook cannot be removed; without an active counter it does nothing.
sys.addaudithook(_audit)


@contextmanager
def count_opens(path: Path) -> Iterator[OpenCounter]:
    """Counts how often this process opens a file inside the block."""
    counter = OpenCounter(path)
    _active.append(counter)
    try:
        yield counter
    finally:
        _active.remove(counter)
