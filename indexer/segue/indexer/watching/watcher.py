"""Keeps a catalogue in step with folders, until it is interrupted."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from segue.core.errors import CatalogueLocked, SnapshotUnwritable, StoreUnavailable
from segue.indexer.interrupt import Interrupt
from segue.indexer.pipeline.scan import has_music_name
from segue.indexer.watching.batches import Batches
from segue.indexer.watching.folders import WatchedFolders
from segue.indexer.watching.notifications import Changes, Notifications
from segue.indexer.watching.patience import Patience
from segue.indexer.watching.publication import Publication
from segue.indexer.watching.report import WatchReport
from segue.indexer.watching.sessions import LockedSession, Sessions
from segue.indexer.watching.settling import Settling

# Files in one batch: the lock is free in between, and what was removed does not wait for thousands of new files.
_BATCH = 500
# The folders themselves are looked at so often: no notification says that another disk was mounted over them.
_TICK_SECONDS = 1.0
# What comes together is handled together.
_GATHER_SECONDS = 0.2
_PASSING = (CatalogueLocked, StoreUnavailable, SnapshotUnwritable)


class Watcher:
    """Notices changes, holds files back until they stop changing, and applies them batch by batch.

    The catalogue is locked for one batch at a time. What fails for a while is repeated.
    """

    def __init__(
        self,
        folders: WatchedFolders,
        settling: Settling,
        batches: Batches,
        publication: Publication,
        report: WatchReport,
        poll_seconds: float | None,
    ) -> None:
        """Watches nothing yet.

        Args:
            folders: the folders.
            settling: holds files back.
            batches: applies changes.
            publication: decides when the index is published.
            report: shows what happens.
            poll_seconds: seconds between walks through the folders, instead of notifications; None for notifications.
        """
        self._folders = folders
        self._settling = settling
        self._batches = batches
        self._publication = publication
        self._report = report
        self._poll_seconds = poll_seconds
        self._next_poll = 0.0
        self._notifications = Notifications()
        self._patience = Patience()
        self._is_watching = False

    def run(self, sessions: Sessions, interrupt: Interrupt) -> None:
        """Watches until the interrupt, and then publishes the index if it lacks changes.

        Raises:
            EnvironmentUnusable: the system does not permit to watch so many folders, or to decode.
            CatalogueMismatch: the catalogue was replaced by one of another model.
        """
        try:
            while not interrupt.requested():
                self._follow_folders()
                self._note_changes(self._notifications.take())
                if not self._work(sessions):
                    self._wait()
        finally:
            self._notifications.stop()
        if self._publication.lacks_changes:
            self._try(sessions, self._batches.publish)

    def _follow_folders(self) -> None:
        """Watches the folders that are there, and says which went away and came back."""
        before = self._folders.away
        if not self._folders.refresh():
            return
        for folder in self._folders.away:
            if folder not in before or not self._is_watching:
                self._report.problem(
                    "FOLDER_MISSING",
                    f"{folder} is not there, as if its disk was not mounted. Nothing is removed; when it is back, the "
                    "changes in it are applied.",
                )
        for folder in self._folders.present:
            if folder in before and self._is_watching:
                self._report.resumed(f"{folder} is back")
        self._restart()

    def _restart(self) -> None:
        """Watches from now on, and walks through the folders for what changed before."""
        if self._poll_seconds is None:
            self._notifications.restart(self._folders.present)
        self._batches.needs_walk = True

    def _note_changes(self, changes: Changes) -> None:
        if changes.is_incomplete:
            self._report.problem(
                "CHANGES_MISSED",
                "Changes may have been missed, since there were more than the queue of the system holds "
                "(fs.inotify.max_queued_events), or since a folder was replaced or moved away. The folders are walked "
                "through.",
            )
            self._restart()
        for path in changes.paths:
            is_folder = os.path.isdir(path)  # noqa: PTH112 - is_dir() raises in a place that cannot be read
            if is_folder or has_music_name(path.name):
                for file in self._folders.music_at(path):
                    self._settling.add(file)
        for path, is_folder in changes.removed.items():
            place = self._folders.place(path) if is_folder or has_music_name(path.name) else None
            if place is not None:
                self._settling.add_missing(place, is_folder=is_folder)
        if self._poll_seconds is None and any(map(os.path.isdir, changes.paths)):
            self._notifications.check_limit(self._folders.present)

    def _work(self, sessions: Sessions) -> bool:
        """Starts the next work that is due, and returns whether there was one."""
        if not self._patience.may_try():
            return False
        if self._folders.present and (self._batches.needs_walk or self._is_poll_due()):
            return self._walk(sessions)
        files = self._settling.take_files(_BATCH)
        missing = self._settling.take_missing() if len(files) < _BATCH else {}
        if files or missing:
            if not self._try(sessions, partial(self._batches.apply, files=files, missing=missing)):
                self._put_back(files, missing)
            return True
        return self._publication.is_due() and self._try(sessions, self._batches.publish)

    def _walk(self, sessions: Sessions) -> bool:
        self._next_poll = time.monotonic() + (self._poll_seconds or 0.0)
        is_done = self._try(sessions, self._batches.walk)
        if not self._batches.needs_walk and not self._is_watching:
            sessions.warm_up()
            self._is_watching = True
            self._report.watching(self._folders.present)
        return is_done

    def _is_poll_due(self) -> bool:
        return self._poll_seconds is not None and time.monotonic() >= self._next_poll

    def _put_back(self, files: list[Path], missing: dict[Path, bool]) -> None:
        for file in files:
            self._settling.add(file)
        for path, is_folder in missing.items():
            self._settling.add_missing(path, is_folder=is_folder)

    def _try(self, sessions: Sessions, work: Callable[[LockedSession], None]) -> bool:
        """Runs work in a session, and returns False if it has to be repeated later."""
        try:
            sessions.store.ping()
            with sessions.session() as session:
                self._batches.check_continuity(session.store)
                work(session)
        except _PASSING as error:
            if self._patience.failed(error):
                self._report.problem(error.reason, f"{error} Segue tries again by itself.")
            return False
        if self._patience.succeeded():
            self._report.resumed("The catalogue can be written again")
        return True

    def _wait(self) -> None:
        """Waits for changes, the next file that stops changing, or the next try."""
        seconds = _TICK_SECONDS
        left = self._settling.seconds_left()
        if not self._patience.may_try():
            seconds = min(seconds, self._patience.seconds_left())
        elif left is not None:
            seconds = min(seconds, left + _GATHER_SECONDS)
        if self._notifications.wait(seconds):
            time.sleep(_GATHER_SECONDS)
