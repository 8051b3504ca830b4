"""Holds files back until they stop changing, so that one that is still being copied is not indexed."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

# A file that was moved is missing at its old path. It must be found at the new one before it is forgotten.
_MISSING_FACTOR = 2
_MISSING_SECONDS = 60.0


@dataclass(frozen=True)
class _Seen:
    """Size and time of a file when it was seen, and the moment at which it is looked at again."""

    size: int
    mtime_ns: int
    due: float


class Settling:
    """Files that changed, until their size and time have been the same for some seconds.

    Files that are missing wait for longer, and until no other became missing, so that one removal of many files is
    judged as one.

    Attributes:
        seconds: how long a file must stay the same.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Holds nothing yet.

        Args:
            seconds: how long a file must stay the same.
            clock: returns the time in seconds.
        """
        self.seconds = seconds
        self._clock = clock
        # In the order of their moments, since all wait for the same time.
        self._files: dict[Path, _Seen] = {}
        self._missing: dict[Path, bool] = {}
        self._first_missing = self._last_missing = 0.0

    def add(self, file: Path) -> None:
        """Adds a file that may have changed; one that has not changed since it was added waits no longer."""
        seen, known = self._look(file), self._files.get(file)
        if seen is None:
            self.add_missing(file)
        elif known is None or (known.size, known.mtime_ns) != (seen.size, seen.mtime_ns):
            self._files.pop(file, None)
            self._files[file] = seen
            self._missing.pop(file, None)

    def add_missing(self, path: Path, *, is_folder: bool = False) -> None:
        """Adds a file or folder that does not exist any more."""
        self._last_missing = self._clock()
        if not self._missing:
            self._first_missing = self._last_missing
        self._files.pop(path, None)
        self._missing[path] = is_folder

    def take_files(self, limit: int) -> list[Path]:
        """Removes up to ``limit`` files that have stopped changing, and returns them."""
        taken: list[Path] = []
        for file, known in list(self._files.items()):
            if known.due > self._clock() or len(taken) == limit:
                break
            seen = self._look(file)
            if seen is not None and (known.size, known.mtime_ns) == (seen.size, seen.mtime_ns):
                del self._files[file]
                taken.append(file)
            else:
                self.add(file)
        return taken

    def take_missing(self) -> dict[Path, bool]:
        """Removes the missing files and folders if they have waited long enough, and returns which are folders."""
        if self._missing_due() > self._clock():
            return {}
        taken, self._missing = self._missing, {}
        return taken

    def seconds_left(self) -> float | None:
        """Returns the seconds until something can be taken, 0 or above; None if there is nothing."""
        moments = [seen.due for seen in self._files.values()][:1] + [self._missing_due()] * bool(self._missing)
        return max(0.0, min(moments) - self._clock()) if moments else None

    def _missing_due(self) -> float:
        return min(self._last_missing + _MISSING_FACTOR * self.seconds, self._first_missing + _MISSING_SECONDS)

    def _look(self, file: Path) -> _Seen | None:
        with suppress(OSError):
            status = file.stat()
            return _Seen(status.st_size, status.st_mtime_ns, self._clock() + self.seconds)
        return None
