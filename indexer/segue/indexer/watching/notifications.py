"""Notices changes in folders by the notifications of the system."""

from __future__ import annotations

import ctypes
import errno
import logging
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from watchdog import events
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

from segue.core.errors import EnvironmentUnusable

_KINDS: list[type[events.FileSystemEvent]] = [
    events.FileCreatedEvent,
    events.FileModifiedEvent,
    events.FileAttribEvent,
    events.FileDeletedEvent,
    events.FileMovedEvent,
    events.DirCreatedEvent,
    events.DirDeletedEvent,
    events.DirMovedEvent,
]
_LIMITS = {
    errno.ENOSPC: (
        "has more folders than the system allows to watch",
        "fs.inotify.max_user_watches",
        "1048576",
    ),
    errno.EMFILE: (
        "cannot be watched, since this user has too many programs that watch",
        "fs.inotify.max_user_instances",
        "1024",
    ),
}


class Changes(NamedTuple):
    """Changes since the last time.

    Attributes:
        paths: files and folders that appeared or changed, without links.
        removed: files and folders that were removed or renamed, and whether each was a folder.
        is_incomplete: there may be further changes, which the system did not report.
    """

    paths: set[Path]
    removed: dict[Path, bool]
    is_incomplete: bool


class Notifications:
    """Collects the changes in folders, in threads of its own."""

    def __init__(self) -> None:
        """Watches nothing yet."""
        self._lock = threading.Lock()
        self._changed = threading.Event()
        self._changes = Changes(set(), {}, is_incomplete=False)
        self._observer: BaseObserver | None = None
        self._log_handler = _Warnings(self._mark_incomplete)

    def restart(self, folders: Sequence[Path]) -> None:
        """Watches these folders and all below, instead of those before.

        Raises:
            EnvironmentUnusable: the system does not permit it.
        """
        self.stop()
        logging.getLogger("watchdog").addHandler(self._log_handler)
        try:
            observer = self._observer = Observer()
            for real in dict.fromkeys(map(os.path.realpath, folders)):  # two names may lead to one folder
                observer.schedule(_Handler(self), real, recursive=True, event_filter=_KINDS)
            observer.start()
        except OSError as error:
            self.stop()
            if not isinstance(error, FileNotFoundError | NotADirectoryError):
                raise _unusable(folders, error) from error
            self._mark_incomplete()  # it went away just now
        self.check_limit(folders)

    def stop(self) -> None:
        """Watches nothing any more."""
        logging.getLogger("watchdog").removeHandler(self._log_handler)
        observer, self._observer = self._observer, None
        if observer is not None:
            _end(observer)

    def wait(self, seconds: float) -> bool:
        """Waits until something changes, at most for so many seconds, and returns whether it did."""
        return self._changed.wait(seconds)

    def take(self) -> Changes:
        """Returns what changed since the last time."""
        if self._observer is not None and not _is_alive(self._observer):
            self._mark_incomplete()
        with self._lock:
            self._changed.clear()
            taken, self._changes = self._changes, Changes(set(), {}, is_incomplete=False)
        return taken

    def check_limit(self, folders: Sequence[Path]) -> None:
        """Checks that one more folder could be watched, since watchdog leaves out those beyond the limit.

        Raises:
            EnvironmentUnusable: the limit of the system is reached.
        """
        if sys.platform != "linux":
            return
        from watchdog.observers import inotify_c  # noqa: PLC0415 - loads on Linux alone

        descriptor = inotify_c.inotify_init()
        try:
            with tempfile.TemporaryDirectory(prefix="segue-watch-") as folder:
                mask = inotify_c.InotifyConstants.IN_CREATE
                if descriptor < 0 or inotify_c.inotify_add_watch(descriptor, os.fsencode(folder), mask) < 0:
                    error = ctypes.get_errno()
                    raise _unusable(folders, OSError(error, os.strerror(error)))
        finally:
            if descriptor >= 0:
                os.close(descriptor)

    def on_event(self, event: events.FileSystemEvent) -> None:
        """Notes an event; called by the threads that watch."""
        with self._lock:
            source = Path(os.fsdecode(event.src_path))
            if isinstance(event, events.FileDeletedEvent | events.DirDeletedEvent | events.FileSystemMovedEvent):
                self._changes.removed[source] = event.is_directory
                self._changes.paths.discard(source)
            else:
                self._changes.paths.add(source)
                self._changes.removed.pop(source, None)
            if event.dest_path:
                target = Path(os.fsdecode(event.dest_path))
                self._changes.paths.add(target)
                self._changes.removed.pop(target, None)
        self._changed.set()

    def _mark_incomplete(self) -> None:
        with self._lock:
            self._changes = self._changes._replace(is_incomplete=True)
        self._changed.set()


class _Handler(events.FileSystemEventHandler):
    """Passes all events on."""

    def __init__(self, notifications: Notifications) -> None:
        self._notifications = notifications

    def on_any_event(self, event: events.FileSystemEvent) -> None:
        """Passes an event on."""
        self._notifications.on_event(event)


class _Warnings(logging.Handler):
    """Notices the warnings of watchdog: it logs that the queue of the system overflowed, and raises nothing."""

    def __init__(self, on_warning: Callable[[], None]) -> None:
        super().__init__(logging.WARNING)
        self._on_warning = on_warning

    def emit(self, record: logging.LogRecord) -> None:
        """Notes that changes may be missing."""
        self._on_warning()


def _is_alive(observer: BaseObserver) -> bool:
    """Returns whether all threads of an observer run.

    The thread of a folder ends when the folder is removed, even if another takes its place. On Linux, one more thread
    reads for all of them, and ends by an error of watchdog 7.1.0 if a folder was moved out and its successor removed.
    """
    reader: threading.Thread | None = getattr(observer, "_inotify_fd", None)
    threads = [observer, *observer.emitters, *([] if reader is None else [reader])]
    return all(thread.is_alive() for thread in threads)


def _end(observer: BaseObserver) -> None:
    """Ends the threads of an observer, also of one that did not start or lost one of them."""
    for emitter in list(observer.emitters):
        try:
            emitter.stop()
        except KeyError:  # as in its reader: its thread waits for ever, so it must not be joined
            observer.emitters.discard(emitter)
    observer.stop()
    if observer.is_alive():
        observer.join()


def _unusable(folders: Sequence[Path], error: OSError) -> EnvironmentUnusable:
    """Returns the error of folders that cannot be watched, with the setting that is too low."""
    names = ", ".join(map(str, folders))
    if error.errno not in _LIMITS:
        return EnvironmentUnusable(f"{names} cannot be watched: {error.strerror or error}. Use --poll 60.")
    problem, setting, value = _LIMITS[error.errno]
    return EnvironmentUnusable(
        f"{names} {problem} ({setting}). Raise this limit as root, `sysctl {setting}={value}`, and keep it in "
        "/etc/sysctl.d; or run the same command with --poll 60, which walks through the folders every 60 s instead."
    )
