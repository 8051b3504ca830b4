"""Counts of a run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from segue.core.catalogue.display_path import display_path
from segue.core.catalogue.records import PathRecord
from segue.core.errors import WorkerKilled
from segue.indexer.pipeline.left_out import LeftOut
from segue.indexer.pipeline.records import (
    Failure,
    IndexedFile,
    Missing,
    MusicFile,
    NewMetadata,
    Skipped,
    Source,
    Unchanged,
)

MAX_REMOVED_PERCENT = 20
"""Share of the tracks, in percent, that one run removes without ``--allow-removals``."""


def exceeds_removal_limit(removed: int, tracks: int) -> bool:
    """Returns whether removing so many of the tracks needs ``--allow-removals``."""
    return 100 * removed > MAX_REMOVED_PERCENT * tracks


@dataclass
class RunCounts:
    """Counts of a run: of files, except ``tracks`` and ``removed``.

    Attributes:
        tracks: tracks in the catalogue at the end, None if the run did not get there.
        added: files that are new in the catalogue.
        skipped: files that failed in an earlier run and did not change since; not opened.
        unchanged: files that did not change since they were indexed.
        updated: files that changed since they were indexed.
        removed: tracks that lost their last file.
        forgotten: files that left the catalogue.
        decoded: files whose audio was decoded.
        rechecked: files that were read but not decoded, since the catalogue has their audio. They count as added,
            updated or unchanged, too.
        model: id of the model, or None if the run needed none or did not get there.
        seconds: duration of the run, in seconds.
        dry_run: nothing was changed, and these are the counts that a run would have.
        failures: files that could not be indexed.
        indexed: files that were added or updated, with their track ids; None if they are not wanted.
        left_out: files and folders under the named folders that are not indexed.
        error: ``reason`` and ``message`` of the error that ended the run, or None.
    """

    tracks: int | None = None
    added: int = 0
    skipped: int = 0
    unchanged: int = 0
    updated: int = 0
    removed: int = 0
    forgotten: int = 0
    decoded: int = 0
    rechecked: int = 0
    model: str | None = None
    seconds: float = 0.0
    dry_run: bool = False
    failures: list[Failure] = field(default_factory=list)
    indexed: list[IndexedFile] | None = None
    left_out: LeftOut = field(default_factory=LeftOut)
    error: dict[str, str] | None = None

    @property
    def failed(self) -> int:
        """Number of files that could not be indexed."""
        return len(self.failures)

    @property
    def done(self) -> int:
        """Number of files that the run has finished with."""
        return self.added + self.skipped + self.unchanged + self.updated + self.failed

    def exceeds(self, allowed: int | None) -> bool:
        """Returns whether more files than allowed are failed, in this run or since an earlier one.

        Args:
            allowed: that number; or None for any number, unless all files are failed, or one was not analyzed because
                something killed the process: the run is not complete then.
        """
        failing = self.failed + self.skipped
        if allowed is not None:
            return failing > allowed
        was_killed = any(failure.reason == WorkerKilled.reason for failure in self.failures)
        return was_killed or 0 < failing == self.done

    def count_indexed(self, file: MusicFile, track_id: str) -> None:
        """Counts a file that is in the catalogue now."""
        self.added += not file.known
        self.updated += file.known
        if self.indexed is not None:
            self.indexed.append(IndexedFile(display_path(file.path), track_id, "updated" if file.known else "added"))

    def count_described(self, file: PathRecord) -> None:
        """Counts a file that got other metadata of its owner, and was not opened."""
        self.updated += 1
        if self.indexed is not None:
            self.indexed.append(IndexedFile(file.path, file.track_id, "updated"))

    def count_skipped(self, source: Unchanged | Skipped | Failure) -> None:
        """Counts a file that is not examined."""
        match source:
            case Unchanged():
                self.unchanged += 1
            case Skipped():
                self.skipped += 1
            case Failure():
                self.failures.append(source)

    def count_rechecked(self, file: MusicFile, is_changed: bool) -> None:
        """Counts a file that was not decoded, as the catalogue has its audio; its tags may have changed."""
        self.rechecked += 1
        if not file.known:
            self.count_indexed(file, file.expected_id)
        elif is_changed:
            self.updated += 1
        else:
            self.unchanged += 1

    def count_planned(self, source: Source) -> None:
        """Counts a file in a dry run, as if indexing it succeeded."""
        match source:
            case MusicFile(expected_id=expected_id, known=known):
                is_same = expected_id != ""
                self.rechecked += is_same
                self.unchanged += is_same and known
                self.updated += not is_same and known
                self.added += not known
            case NewMetadata():
                self.updated += 1
            case Missing():
                self.forgotten += 1
            case _:
                self.count_skipped(source)

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Measures the duration of the block, also if it fails."""
        start = time.monotonic()
        try:
            yield
        finally:
            self.seconds = time.monotonic() - start

    def to_dict(self) -> dict[str, Any]:
        """Returns the counts and failures in the form of the JSON document."""
        return {**asdict(self), "failed": self.failed, "seconds": round(self.seconds, 3)}


Show = Callable[[RunCounts], None]
"""Shows the counts after each change."""
ShowCount = Callable[[int], None]
"""Shows the number of files that were found so far."""
