"""Where music comes from: the files of folders, and what is known of each before it is opened."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from segue.core.batching import batched
from segue.core.catalogue.records import FailureRecord, PathRecord
from segue.indexer.pipeline.examine import UNREADABLE, Failure
from segue.indexer.text import display_path, paths_from_display

# fmt: off
ENDINGS = frozenset({
    ".aac", ".aif", ".aifc", ".aiff", ".au", ".caf", ".flac", ".m4a", ".m4b", ".mka", ".mp1", ".mp2", ".mp3", ".mp4",
    ".oga", ".ogg", ".opus", ".rf64", ".snd", ".w64", ".wav", ".wave", ".wma",
})
# fmt: on
"""The file name endings that count as music in a folder, in lower case."""

# One question to the store for so many files.
_LOOKED_UP_AT_ONCE = 500


@dataclass(frozen=True)
class MusicFile:
    """A file that is to be heard.

    Attributes:
        path: where it is, absolute.
        size: bytes.
        mtime_ns: when it was last written.
        known: whether a file at this path was heard before, as it was then.
    """

    path: Path
    size: int
    mtime_ns: int
    known: bool

    def failure(self, failure: Failure) -> FailureRecord:
        """What the catalogue remembers of the file where it failed, as it was before it was opened."""
        return FailureRecord(
            failure.path, self.size, self.mtime_ns, failure.reason, failure.message, round(time.time())
        )

    def record(self, track_id: str) -> PathRecord:
        """What the catalogue remembers of the file, as it was before it was opened."""
        return PathRecord(display_path(self.path), self.size, self.mtime_ns, track_id)


class Unchanged:
    """A file that is as it was when it was heard."""


class Skipped:
    """A file that is as it was when it failed."""


Source = MusicFile | Unchanged | Skipped | Failure


class PathRecords(Protocol):
    """What remembers the files that were heard, and those that failed; every ``TrackStore`` does."""

    def files(self, paths: Sequence[str]) -> list[PathRecord | None]:
        """The records of these paths, None for each that was never indexed."""
        ...

    def failures(self, paths: Sequence[str]) -> list[FailureRecord | None]:
        """How these files failed, None for each that did not."""
        ...


def find_music(paths: Iterable[Path]) -> Iterator[Path | Failure]:
    """The music under these paths, each file and folder once, always in the same order.

    Args:
        paths: files, which are taken whatever their ending, and folders, which are walked. Hidden files and folders in
            them are left out, among them the ``._*`` files of other systems.

    Yields:
        Absolute paths; a failure for a folder that cannot be read, and for a link that cannot be followed.
    """
    seen: set[tuple[int, int]] = set()
    for path in paths:
        place = absolute(path)
        if place.is_dir():
            yield from _walk(place, seen)
        else:
            yield place


def absolute(path: Path) -> Path:
    """The path by which the catalogue knows a file, from wherever it is named; links keep their names."""
    return Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow links to other names


def _walk(folder: Path, seen: set[tuple[int, int]]) -> Iterator[Path | Failure]:
    """The music in a folder, unless it was walked before: a link may lead back up."""
    try:
        state = folder.stat()
        if (state.st_dev, state.st_ino) in seen:
            return
        seen.add((state.st_dev, state.st_ino))
        with os.scandir(folder) as scan:
            entries = [entry for entry in scan if not entry.name.startswith(".")]
    except OSError as error:
        yield Failure.of(folder, error)
        return
    # Linked folders last, so that a folder is found under its own name where it has one here.
    for entry in sorted(entries, key=lambda entry: (entry.is_symlink(), entry.name)):
        try:
            is_folder, is_file = entry.is_dir(), entry.is_file()
        except OSError as error:  # a link to itself, or into a folder that cannot be read
            yield Failure.of(Path(entry.path), error)
            continue
        if is_folder:
            yield from _walk(Path(entry.path), seen)
        elif is_file and os.path.splitext(entry.name)[1].lower() in ENDINGS:  # noqa: PTH122 - a name, no path
            yield Path(entry.path)


def find_file(text: str) -> Path | None:
    """The file that the catalogue knows by this path, or None where it is gone.

    Raises:
        OSError: whether it is there cannot be told: its folder or its disk does not let us look.
    """
    for path in paths_from_display(text):
        with suppress(FileNotFoundError, NotADirectoryError):
            path.stat()
            return path
    return None


def classify_files(
    found: Iterable[Path | Failure], records: PathRecords, named: Iterable[Path] = ()
) -> Iterator[Source]:
    """Tells the files that are to be heard from those that are as they were, good or bad; none is opened.

    Args:
        found: what ``find_music`` yields.
        records: what remembers the files that were heard.
        named: what a person named; such a file is heard again though it failed, for that is what was asked.
    """
    asked_for = {absolute(path) for path in named}
    for some in batched(found, _LOOKED_UP_AT_ONCE):
        paths = [path for path in some if isinstance(path, Path)]
        names = [display_path(path) for path in paths]
        known = dict(zip(paths, records.files(names), strict=True))
        failed = dict(zip(paths, records.failures(names), strict=True))
        for path in some:
            if isinstance(path, Failure):
                yield path
            else:
                yield _compare(path, known[path], None if path in asked_for else failed[path])


def stat_file(path: Path, known: bool) -> MusicFile | Failure:
    """A file that is to be heard, whatever is remembered of it."""
    try:
        state = path.stat()
    except OSError as error:
        return Failure.of(path, error)
    return MusicFile(path, state.st_size, state.st_mtime_ns, known)


def _compare(path: Path, record: PathRecord | None, failed: FailureRecord | None) -> Source:
    file = stat_file(path, known=record is not None)
    if isinstance(file, Failure):
        return file
    if record is not None and (record.size, record.mtime_ns) == (file.size, file.mtime_ns):
        return Unchanged()
    # A right to read that was given since leaves a file's time as it was, and costs nothing to try.
    if (
        failed is not None
        and failed.reason != UNREADABLE
        and (failed.size, failed.mtime_ns) == (file.size, file.mtime_ns)
    ):
        return Skipped()
    return file
