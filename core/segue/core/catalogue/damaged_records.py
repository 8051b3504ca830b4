"""Remembers the records of a catalogue that cannot be read, so that each is left out, counted and logged once."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeVar

R = TypeVar("R")

Kind = Literal["track", "embedding", "windows", "files of the track", "file", "failure of the file", "event"]

MAX_RECORDS = 1_000
"""The largest number of records that are remembered, so that a catalogue of damage alone costs no memory."""
REPAIR_ADVICE = "Run `segue-indexer verify --repair`."

_RECHECKED = 100

log = logging.getLogger(__name__)


class DamagedRecords:
    """The damaged records that the reader of a catalogue has met; it is thread-safe."""

    def __init__(self) -> None:
        self._problems: dict[tuple[Kind, str], str] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """Returns the number of known damaged records; there may be more."""
        return len(self._problems)

    def names(self, kind: Kind) -> list[str]:
        """Returns the ids or paths of the damaged records of one kind."""
        with self._lock:
            return [name for known, name in self._problems if known == kind]

    def decode(
        self, kind: Kind, names: Sequence[str], values: Sequence[Any], decode: Callable[[str, Any], R]
    ) -> list[R | None]:
        """Returns decoded values, with None for missing and damaged ones.

        A damaged record is remembered, and logged at the first time; one that can be read again is forgotten.

        Args:
            kind: the kind of record.
            names: the id of the track, the path or the revision of each record.
            values: the stored values, with None for missing ones and a ``ValueError`` for those that were not read.
            decode: decodes a value, given its name; raises ``ValueError``, with a sentence, if it is damaged.
        """
        return [self._decode(kind, name, value, decode) for name, value in zip(names, values, strict=True)]

    def _decode(self, kind: Kind, name: str, value: Any, decode: Callable[[str, Any], R]) -> R | None:  # noqa: ANN401
        try:
            decoded = None if value is None else decode(name, _checked(value))
        except ValueError as error:
            self._note(kind, name, str(error))
            return None
        if self._problems:
            with self._lock:
                self._problems.pop((kind, name), None)
        return decoded

    def _note(self, kind: Kind, name: str, problem: str) -> None:
        with self._lock:
            is_new = (kind, name) not in self._problems and len(self._problems) < MAX_RECORDS
            if is_new:
                self._problems[kind, name] = problem
        if is_new:
            log.warning("The %s %s cannot be read and is left out. %s %s", kind, ascii(name), problem, REPAIR_ADVICE)

    def recheck(self, kind: Kind, read: Callable[[Sequence[str]], object]) -> None:
        """Reads some damaged records again, by a function that uses ``decode``."""
        if names := self.names(kind)[:_RECHECKED]:
            read(names)


def _checked(value: Any) -> Any:  # noqa: ANN401 - any stored value
    if isinstance(value, ValueError):
        raise value
    return value
