"""The results of a watch, as the command line shows them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from segue.indexer.pipeline.run_counts import RunCounts, Show


@dataclass
class WatchTotals:
    """Sums over the batches of a watch: of files, except ``removed`` and ``batches``.

    Attributes:
        batches: batches of changes that were applied, walks through the whole folders included.
        added: files that became part of the catalogue.
        updated: files that changed.
        forgotten: files that left the catalogue.
        removed: tracks that lost their last file.
        failed: files that could not be indexed.
        decoded: files whose audio was decoded.
        rechecked: files that were read but not decoded.
        tracks: tracks in the catalogue after the last batch, or None before the first.
    """

    batches: int = 0
    added: int = 0
    updated: int = 0
    forgotten: int = 0
    removed: int = 0
    failed: int = 0
    decoded: int = 0
    rechecked: int = 0
    tracks: int | None = None

    def add(self, counts: RunCounts) -> None:
        """Adds the counts of a batch."""
        self.batches += 1
        for name in ("added", "updated", "forgotten", "removed", "failed", "decoded", "rechecked"):
            setattr(self, name, getattr(self, name) + getattr(counts, name))
        self.tracks = counts.tracks

    def to_dict(self) -> dict[str, Any]:
        """Returns the sums in the form of the JSON document."""
        return asdict(self)


class WatchReport(Protocol):
    """Shows what a watch does."""

    def new_counts(self) -> RunCounts:
        """Returns the counts of a batch that begins."""
        ...

    def walking(self, total: int) -> AbstractContextManager[Show]:
        """Shows the progress of a walk through folders with so many files."""
        ...

    def watching(self, folders: Sequence[Path]) -> None:
        """Says that changes in these folders are noticed from now on."""
        ...

    def applied(self, counts: RunCounts, *, is_walk: bool) -> None:
        """Shows the counts of a batch of changes, or of a walk through the whole folders."""
        ...

    def problem(self, reason: str, message: str) -> None:
        """Says what keeps the catalogue from following the folders."""
        ...

    def resumed(self, message: str) -> None:
        """Says that a problem is over."""
        ...
