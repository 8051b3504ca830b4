"""What a run has done so far."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from segue.indexer.pipeline.examine import Failure
from segue.indexer.pipeline.scan import MusicFile, Skipped, Source, Unchanged

MAX_REMOVED_SHARE = 0.2
"""The share of the catalogue's tracks that one run of sync removes unless it is told to remove more."""


@dataclass
class RunCounts:
    """The counts of a run; of files, but for ``tracks`` and ``removed``.

    Attributes:
        tracks: tracks in the catalogue at the end of the run, None if it did not get there.
        added: files that were not in the catalogue.
        skipped: files that are as they were when they failed, and were not opened either.
        unchanged: files that are as they were, and were not opened.
        updated: files that had changed.
        removed: tracks that no file holds any more: the last one that did is forgotten, or holds another now.
        forgotten: files that the catalogue knows no longer.
        decoded: files whose sound was heard.
        seconds: how long the run took.
        dry_run: whether nothing was done: these are the counts of what would be.
        failures: the files that could not be indexed.
        error: why the run could not be done or not be finished, a ``reason`` and a ``message``; None if it was.
    """

    tracks: int | None = None
    added: int = 0
    skipped: int = 0
    unchanged: int = 0
    updated: int = 0
    removed: int = 0
    forgotten: int = 0
    decoded: int = 0
    seconds: float = 0.0
    dry_run: bool = False
    failures: list[Failure] = field(default_factory=list)
    error: dict[str, str] | None = None

    @property
    def failed(self) -> int:
        """How many files could not be indexed."""
        return len(self.failures)

    @property
    def done(self) -> int:
        """How many files are dealt with."""
        return self.added + self.skipped + self.unchanged + self.updated + self.failed

    def count_skipped(self, source: Unchanged | Skipped | Failure) -> None:
        """Counts a file that is not to be heard."""
        match source:
            case Unchanged():
                self.unchanged += 1
            case Skipped():
                self.skipped += 1
            case Failure():
                self.failures.append(source)

    def count_planned(self, source: Source) -> None:
        """Counts a file in a dry run, as if all that is to be heard were good."""
        if not isinstance(source, MusicFile):
            self.count_skipped(source)
        elif source.known:
            self.updated += 1
        else:
            self.added += 1

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Measures what is done inside, also when that fails."""
        started = time.monotonic()
        try:
            yield
        finally:
            self.seconds = time.monotonic() - started

    def to_dict(self) -> dict[str, Any]:
        """The counts and the failures as JSON has them."""
        return {**asdict(self), "failed": self.failed, "seconds": round(self.seconds, 3)}


Show = Callable[[RunCounts], None]
"""Shows the counts after each change."""
