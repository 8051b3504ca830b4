"""Finds the music files of folders, and compares each with the catalogue before it is opened."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from segue.core.audio.decoders.endings import ENDINGS, FFMPEG_ENDINGS
from segue.core.audio.decoders.ffmpeg import is_installed
from segue.core.batching import batched
from segue.core.catalogue.display_path import display_path, file_path
from segue.core.catalogue.records import NO_METADATA, FailureRecord, OwnMetadata, PathRecord
from segue.core.catalogue.store import TrackStore
from segue.core.errors import NoMusic
from segue.core.system_names import is_resource_fork, is_system_folder
from segue.indexer.pipeline.left_out import LeftOut
from segue.indexer.pipeline.moved_files import MovedFiles
from segue.indexer.pipeline.records import TEMPORARY, Failure, MusicFile, NewMetadata, Skipped, Source, Unchanged

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

    def count(self) -> int:
        """Returns the number of tracks."""
        ...

    def all_files(self) -> Iterable[PathRecord]:
        """Returns the records of all indexed files."""
        ...


def find_music(paths: Iterable[Path], left_out: LeftOut | None = None) -> Iterator[Path | Failure]:
    """Yields the music files at or under the paths, in a fixed order; a folder is walked only once.

    A link into one of the folders is left out, since its target is found under its own path. Other links are followed.

    Args:
        paths: files and folders. A named file is music, and a named folder is walked, whatever its name.
        left_out: counts to update, of what is left out under the paths.

    Yields:
        Absolute paths, and a failure for each folder that cannot be read and each link that cannot be followed.
    """
    named = [absolute(path) for path in paths]
    walk = _Walk(named, LeftOut() if left_out is None else left_out)
    for path in named:
        if os.path.isdir(path):  # noqa: PTH112 - is_dir() raises in a place that cannot be read
            yield from walk.music_under(path)
        else:
            yield path


def count_music_under(paths: Iterable[Path], left_out: LeftOut, show: Callable[[int], None]) -> int:
    """Counts what ``find_music`` yields, and calls ``show`` with the number so far."""
    total = 0
    for _ in find_music(paths, left_out):
        total += 1
        show(total)
    return total


def absolute(path: Path) -> Path:
    """Returns the absolute path of a file as the catalogue stores it; links keep their names."""
    return Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow links to other names


class _Walk:
    """A walk through folders, which enters each of them once, and finds each linked file once."""

    def __init__(self, named: Iterable[Path], left_out: LeftOut) -> None:
        self._named = frozenset(map(str, named))
        self._roots = {os.path.realpath(path) for path in self._named if os.path.isdir(path)}  # noqa: PTH112 - never raises
        self._left_out = left_out
        self._has_ffmpeg = is_installed()
        self._entered: set[tuple[int, int]] = set()
        self._linked_files: set[tuple[int, int]] = set()

    def music_under(self, folder: Path) -> Iterator[Path | Failure]:
        """Yields the music in a folder, unless it was entered before."""
        try:
            status = folder.stat()
            if (status.st_dev, status.st_ino) in self._entered:
                return
            self._entered.add((status.st_dev, status.st_ino))
            with os.scandir(folder) as scan:
                # A folder may hold millions of other files: they are not kept in memory.
                entries = [entry for entry in scan if self._is_wanted(entry)]
        except OSError as error:
            yield Failure.from_error(folder, error)
            return
        # Linked folders last, so that a folder is found under its own name where it has one here.
        for entry in sorted(entries, key=lambda entry: (entry.is_symlink(), entry.name)):
            yield from self._music_at(entry)

    def _music_at(self, entry: os.DirEntry[str]) -> Iterator[Path | Failure]:
        path = Path(entry.path)
        try:
            is_folder, is_elsewhere = entry.is_dir(), entry.is_symlink() and self._is_elsewhere(entry)
        except OSError as error:  # a link to itself, or into a folder that cannot be read
            yield Failure.from_error(path, error)
            return
        if not is_elsewhere:
            yield from self.music_under(path) if is_folder else (path,)
        elif entry.path not in self._named:
            self._left_out.count_linked(entry.name)

    def _is_elsewhere(self, link: os.DirEntry[str]) -> bool:
        """Returns whether the target of a link is found under another path."""
        status = link.stat()
        target = status.st_dev, status.st_ino
        if target in self._entered or target in self._linked_files or self._is_walked(os.path.realpath(link.path)):
            return True
        if link.is_file():
            self._linked_files.add(target)
        return False

    def _is_walked(self, path: str) -> bool:
        """Returns whether a path without links is found by walking one of the named folders."""
        root = next((root for root in self._roots if path == root or path.startswith(root.rstrip("/") + "/")), None)
        if root is None:
            return False
        *folders, name = path[len(root) :].strip("/").split("/")
        if any(map(is_system_folder, folders)):
            return False
        return not is_system_folder(name) if os.path.isdir(path) else not self.file_counter(name)  # noqa: PTH112

    def _is_wanted(self, entry: os.DirEntry[str]) -> bool:
        """Returns whether an entry is music, a folder to walk or unreadable; if it is none of them, it is counted.

        What the user named is not counted, since it has its own turn.
        """
        try:
            count = self._counter(entry)
        except OSError:  # it fails again in its turn, and is reported then
            return True
        if count is not None and entry.path not in self._named:
            count(entry.name)
        return count is None

    def _counter(self, entry: os.DirEntry[str]) -> Callable[[str], None] | None:
        """Returns the counter of the reason why an entry is left out, or None if it is not."""
        if entry.is_dir():
            return self._left_out.count_system_folder if is_system_folder(entry.name) else None
        return self.file_counter(entry.name) if entry.is_file() else self._left_out.count_not_a_file

    def file_counter(self, name: str) -> Callable[[str], None] | None:
        """Returns the counter of the reason why a file of this name is left out, or None if it is not."""
        if is_resource_fork(name):
            return self._left_out.count_resource_fork
        ending = os.path.splitext(name)[1].lower()  # noqa: PTH122 - a name, no path
        if ending in FFMPEG_ENDINGS:
            return None if self._has_ffmpeg else self._left_out.count_needs_ffmpeg
        return None if ending in ENDINGS else self._left_out.count_not_music


def has_music_name(name: str) -> bool:
    """Returns whether a walk takes a file of this name for music."""
    return _Walk([], LeftOut()).file_counter(name) is None


def find_file(display: str) -> Path | None:
    """Returns the file with a display path, or None if it does not exist.

    Raises:
        OSError: its folder cannot be read, or its disk does not answer, so it may exist.
    """
    path = file_path(display)
    with suppress(FileNotFoundError, NotADirectoryError):
        path.stat()
        return path
    return None


def may_exist(display: str) -> bool:
    """Returns whether a file exists, or lies on a disk that does not answer."""
    with suppress(OSError):
        return find_file(display) is not None
    return True


def keep_metadata(_file: Path) -> OwnMetadata | None:
    """Returns None: the file keeps the owner's metadata that it has."""
    return None


def classify_files(
    files: Iterable[Path | Failure],
    records: FileRecords,
    named: Iterable[Path] = (),
    *,
    recheck: bool = False,
    own: Callable[[Path], OwnMetadata | None] = keep_metadata,
) -> Iterator[Source]:
    """Compares files with their records, without opening them.

    Args:
        files: paths and failures from ``find_music``.
        records: records of indexed and failed files.
        named: files that the user named; they are examined again even if they failed and did not change.
        recheck: read all indexed files again.
        own: returns the owner's metadata of a file, or None if it keeps those that it has.

    Yields:
        The files to examine and those to skip, in order.
    """
    always_tried, moved = {absolute(path) for path in named}, MovedFiles(records.all_files)
    for page in batched(files, _PAGE):
        paths = [file for file in page if isinstance(file, Path)]
        names = [display_path(path) for path in paths]
        indexed = dict(zip(paths, records.files(names), strict=True))
        failed = dict(zip(paths, records.failures(names), strict=True))
        is_looked_up = moved.pays(sum(record is None for record in indexed.values()), records.count)
        for file in page:
            if isinstance(file, Failure):
                yield file
            else:
                failure = None if file in always_tried else failed[file]
                source = _classify(file, indexed[file], failure, recheck, own(file))
                yield _expecting_audio(source, moved) if is_looked_up else source


def _expecting_audio(source: Source, moved: MovedFiles) -> Source:
    """Returns a new file with the track that it has if it was moved, and any other source unchanged."""
    if isinstance(source, MusicFile) and not source.known:
        return replace(source, expected_id=moved.track_id(source.size, source.mtime_ns))
    return source


def stat_file(path: Path, known: bool, own: OwnMetadata | None = None) -> MusicFile | Failure:
    """Returns a file to examine, with its current size and time, or the failure if it cannot be reached."""
    try:
        status = path.stat()
    except OSError as error:
        return Failure.from_error(path, error)
    return MusicFile(path, status.st_size, status.st_mtime_ns, known, status.st_ctime_ns, own=own)


def _classify(
    path: Path, indexed: PathRecord | None, failed: FailureRecord | None, recheck: bool, own: OwnMetadata | None
) -> Source:
    if own is None and indexed is not None:
        own = indexed.own
    file = stat_file(path, indexed is not None, own)
    if isinstance(file, Failure):
        return file
    if indexed is not None and _is_unchanged(file, indexed):
        if not recheck and not _has_new_status(file, indexed):
            return Unchanged() if own == indexed.own else NewMetadata(replace(indexed, own=own or NO_METADATA))
        file = replace(file, expected_id=indexed.track_id)
    # A new read permission does not change a file's time.
    if failed is not None and failed.reason not in TEMPORARY and _is_unchanged(file, failed):
        return Skipped()
    return file


def _is_unchanged(file: MusicFile, record: PathRecord | FailureRecord | None) -> bool:
    return record is not None and (record.size, record.mtime_ns) == (file.size, file.mtime_ns)


def _has_new_status(file: MusicFile, record: PathRecord) -> bool:
    """Returns whether a file of the same size and time may have been written.

    Some programs restore the time after they wrote tags. The time of the status cannot be restored. It also changes
    with permissions, names and links, and when the file is copied back from a backup.
    """
    return record.ctime_ns not in {0, file.ctime_ns}


def no_music(paths: Sequence[Path], advice: str) -> NoMusic:
    """Returns the error for paths without music, which says what they hold instead."""
    left_out = LeftOut()
    for _ in find_music(paths, left_out):
        pass
    folders, content = ", ".join(map(str, paths)), ", ".join(left_out.phrases())
    found = f"only {content}" if content else "no files at all"
    return NoMusic(" ".join([f"There is no music under {folders}: {found}.", *left_out.advice(), advice]))


def music_under(paths: Sequence[Path], store: TrackStore, *, recheck: bool = False) -> Iterator[Source]:
    """Yields the music under the paths, and what the catalogue knows about it; see ``classify_files``."""
    return classify_files(find_music(paths), store, named=paths, recheck=recheck)
