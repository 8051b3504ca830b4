"""Finds the music files of folders, and compares each with the catalogue before it is opened."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from segue.core.batching import batched
from segue.core.catalogue.records import FailureRecord, PathRecord
from segue.core.catalogue.store import TrackStore
from segue.core.errors import NoMusic
from segue.indexer.pipeline.records import UNREADABLE, Failure, MusicFile, Skipped, Source, Unchanged
from segue.indexer.text import display_path, paths_from_display

# fmt: off
ENDINGS = frozenset({
    ".aac", ".aif", ".aifc", ".aiff", ".au", ".caf", ".flac", ".m4a", ".m4b", ".mka", ".mp1", ".mp2", ".mp3", ".mp4",
    ".oga", ".ogg", ".opus", ".rf64", ".snd", ".w64", ".wav", ".wave", ".wma",
})
# fmt: on
"""File name endings of music, in lower case."""

# Files in one query of the store.
_PAGE = 500


class FileRecords(Protocol):
    """Records of indexed and failed files, as every ``TrackStore`` has them."""

    def files(self, paths: Sequence[str]) -> list[PathRecord | None]:
        """Returns the records of these paths, None for each that was never indexed."""
        ...

    def failures(self, paths: Sequence[str]) -> list[FailureRecord | None]:
        """Returns the failures of these paths, None for each that did not fail."""
        ...


def find_music(paths: Iterable[Path]) -> Iterator[Path | Failure]:
    """Yields the music files at or under the paths, in a fixed order; a folder is walked only once.

    Args:
        paths: files, which count as music whatever their ending, and folders, in which hidden files and folders are
            left out, among them the ``._*`` files of other systems.

    Yields:
        Absolute paths, and a failure for each folder that cannot be read and each link that cannot be followed.
    """
    walked: set[tuple[int, int]] = set()
    for path in map(absolute, paths):
        if path.is_dir():
            yield from _walk(path, walked)
        else:
            yield path


def absolute(path: Path) -> Path:
    """Returns the absolute path of a file as the catalogue stores it; links keep their names."""
    return Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow links to other names


def _walk(folder: Path, walked: set[tuple[int, int]]) -> Iterator[Path | Failure]:
    """Yields the music in a folder, unless it was walked before: a link may lead back up."""
    try:
        status = folder.stat()
        if (status.st_dev, status.st_ino) in walked:
            return
        walked.add((status.st_dev, status.st_ino))
        with os.scandir(folder) as scan:
            entries = [entry for entry in scan if not entry.name.startswith(".")]
    except OSError as error:
        yield Failure.from_error(folder, error)
        return
    # Linked folders last, so that a folder is found under its own name where it has one here.
    for entry in sorted(entries, key=lambda entry: (entry.is_symlink(), entry.name)):
        try:
            is_folder, is_file = entry.is_dir(), entry.is_file()
        except OSError as error:  # a link to itself, or into a folder that cannot be read
            yield Failure.from_error(Path(entry.path), error)
            continue
        if is_folder:
            yield from _walk(Path(entry.path), walked)
        elif is_file and os.path.splitext(entry.name)[1].lower() in ENDINGS:  # noqa: PTH122 - a name, no path
            yield Path(entry.path)


def find_file(display: str) -> Path | None:
    """Returns the file with a display path, or None if it does not exist.

    Raises:
        OSError: its folder cannot be read, or its disk does not answer, so it may exist.
    """
    for path in paths_from_display(display):
        with suppress(FileNotFoundError, NotADirectoryError):
            path.stat()
            return path
    return None


def classify_files(
    files: Iterable[Path | Failure], records: FileRecords, named: Iterable[Path] = ()
) -> Iterator[Source]:
    """Compares files with their records, without opening them.

    Args:
        files: paths and failures from ``find_music``.
        records: records of indexed and failed files.
        named: files that the user named; they are examined again even if they failed and did not change.

    Yields:
        The files to examine and those to skip, in order.
    """
    always_tried = {absolute(path) for path in named}
    for page in batched(files, _PAGE):
        paths = [file for file in page if isinstance(file, Path)]
        names = [display_path(path) for path in paths]
        indexed = dict(zip(paths, records.files(names), strict=True))
        failed = dict(zip(paths, records.failures(names), strict=True))
        for file in page:
            if isinstance(file, Failure):
                yield file
            else:
                yield _classify(file, indexed[file], None if file in always_tried else failed[file])


def stat_file(path: Path, known: bool) -> MusicFile | Failure:
    """Returns a file to examine, with its current size and time, or the failure if it cannot be reached."""
    try:
        status = path.stat()
    except OSError as error:
        return Failure.from_error(path, error)
    return MusicFile(path, status.st_size, status.st_mtime_ns, known)


def _classify(path: Path, indexed: PathRecord | None, failed: FailureRecord | None) -> Source:
    file = stat_file(path, known=indexed is not None)
    if isinstance(file, Failure):
        return file
    if _is_unchanged(file, indexed):
        return Unchanged()
    # A new read permission does not change a file's time, and trying again costs nothing.
    if failed is not None and failed.reason != UNREADABLE and _is_unchanged(file, failed):
        return Skipped()
    return file


def _is_unchanged(file: MusicFile, record: PathRecord | FailureRecord | None) -> bool:
    return record is not None and (record.size, record.mtime_ns) == (file.size, file.mtime_ns)


def no_music(paths: Sequence[Path], advice: str) -> NoMusic:
    """Returns the error for paths without music."""
    folders = ", ".join(map(str, paths))
    endings = ", ".join(sorted(ENDINGS))
    return NoMusic(f"There is no music under {folders}: no file name there ends in {endings}. {advice}")


def music_under(paths: Sequence[Path], store: TrackStore) -> Iterator[Source]:
    """Yields the music under the paths, and what the catalogue knows about it."""
    return classify_files(find_music(paths), store, named=paths)
