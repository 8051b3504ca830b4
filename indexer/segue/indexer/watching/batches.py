"""Applies what changed in watched folders to the catalogue, one batch in a session."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from segue.core.catalogue.display_path import display_path
from segue.core.catalogue.identity import CatalogueState
from segue.core.catalogue.store import TrackStore
from segue.core.errors import RemovalRefused
from segue.indexer.catalogue.publish import count_tracks, needs_index, publish_index
from segue.indexer.catalogue.removals import missing_among, missing_files, removal_refusal
from segue.indexer.interrupt import Interrupt
from segue.indexer.pipeline.records import Missing, MusicFile, Source
from segue.indexer.pipeline.run_counts import RunCounts, Show
from segue.indexer.pipeline.scan import classify_files, count_music_under, may_exist, music_under
from segue.indexer.watching.folders import WatchedFolders
from segue.indexer.watching.publication import Publication
from segue.indexer.watching.report import WatchReport, WatchTotals
from segue.indexer.watching.sessions import LockedSession
from segue.indexer.watching.settling import Settling

_ADVICE = (
    "Mount the disk. If the files are gone for good, run `segue-indexer sync` on the folder with --allow-removals; the "
    "watch may go on meanwhile."
)


class Batches:
    """Applies changes, and remembers whether any may have been missed.

    Attributes:
        needs_walk: the folders have to be walked through, since a change may have been missed.
        totals: sums over all batches.
    """

    def __init__(
        self,
        data: Path,
        folders: WatchedFolders,
        settling: Settling,
        publication: Publication,
        report: WatchReport,
        interrupt: Interrupt,
    ) -> None:
        """Applies nothing yet.

        Args:
            data: Segue's data folder.
            folders: the folders.
            settling: holds back the files that a walk finds to be new a moment ago.
            publication: decides when the index is published.
            report: shows each batch.
            interrupt: ends a batch early.
        """
        self._data = data
        self._folders = folders
        self._settling = settling
        self._publication = publication
        self._report = report
        self._interrupt = interrupt
        self._known: CatalogueState | None = None
        self._refused = ""
        self._is_index_checked = False
        self.needs_walk = True
        self.totals = WatchTotals()

    def check_continuity(self, store: TrackStore) -> None:
        """Notes that a walk is needed if the catalogue is not the one of the last batch, or lost events since."""
        known, state = self._known, store.state()
        if known is None or known.identity is None or state.identity is None:
            return
        is_same = known.identity.uuid == state.identity.uuid and known.revision <= state.revision
        is_lost = known.revision == state.revision and known.mark != state.mark
        if not is_same or is_lost:
            self.needs_walk = True
            self._is_index_checked = False

    def walk(self, session: LockedSession) -> None:
        """Makes the catalogue match the folders, as ``sync`` does. At first, publishes an index that is behind."""
        counts, folders = self._report.new_counts(), self._folders.present
        total = count_music_under(folders, counts.left_out, lambda _count: None)
        with self._report.walking(total) as show:
            self._run(session, self._walked(folders, session.store), counts, show)
        self._count(counts, is_walk=True)
        self._check_index(session)

    def _check_index(self, session: LockedSession) -> None:
        """Publishes the index unless it is current: once for a catalogue, since it reads the whole index."""
        known = self._known
        if self._is_index_checked or known is None or known.identity is None:
            return
        is_needed = needs_index(self._data, session.store, known.revision)
        self._is_index_checked = True
        if is_needed:
            self._publication.hasten()
            self.publish(session)

    def apply(self, session: LockedSession, files: Sequence[Path], missing: Mapping[Path, bool]) -> None:
        """Indexes files that changed, and forgets missing ones, and those in folders that are missing."""
        counts, is_behind = self._report.new_counts(), self.needs_walk
        self._run(session, _changed(files, missing, session.store), counts, lambda _counts: None)
        self.needs_walk = is_behind
        if counts.done > counts.unchanged or counts.forgotten or counts.rechecked:
            self._count(counts, is_walk=False)

    def publish(self, session: LockedSession) -> None:
        """Publishes the index."""
        start = time.monotonic()
        publish_index(self._data, session.store, session.writer)
        self._publication.note_published(time.monotonic() - start)

    def _walked(self, folders: Sequence[Path], store: TrackStore) -> Iterator[Source]:
        """Yields the music in the folders, without files that changed a moment ago, and then the missing files."""
        for source in music_under(folders, store):
            if isinstance(source, MusicFile) and time.time() - source.mtime_ns / 1e9 < self._settling.seconds:
                self._settling.add(source.path)
            else:
                yield source
        yield from map(Missing, sorted(missing_files(list(map(display_path, folders)), store)))

    def _run(self, session: LockedSession, sources: Iterable[Source], counts: RunCounts, show: Show) -> None:
        self.needs_walk = True  # until the end: an error in the middle loses track of what is done
        before = session.store.revision()
        with counts.timed():
            missing = session.index_files(sources, counts, self._interrupt, show)
            self._forget(session, missing, counts)
            count_tracks(session.store, before, counts)
        self._known = session.store.state()
        self.needs_walk = False
        if self._known.revision != before:
            self._publication.note_change()

    def _forget(self, session: LockedSession, missing: Sequence[str], counts: RunCounts) -> None:
        missing = [path for path in missing if not may_exist(path)]  # some may be back after a long batch
        if not missing or self._interrupt.requested() or not self._folders.is_unchanged():
            return
        refusal = self._refusal(missing, session.store)
        if refusal is None:
            session.writer.forget(missing)
            counts.forgotten = len(missing)
        elif str(refusal) != self._refused:
            self._report.problem(refusal.reason, str(refusal))
        self._refused = str(refusal or "")

    def _refusal(self, missing: Sequence[str], store: TrackStore) -> RemovalRefused | None:
        """Returns the error if a folder lost all of its music, or the catalogue would lose too many tracks."""
        for folder in map(display_path, self._folders.without_music()):
            if any(path.startswith(folder.rstrip("/") + "/") for path in missing):
                return RemovalRefused(f"There is no music under {folder} any more, so nothing was removed. {_ADVICE}")
        return removal_refusal(missing, store, _ADVICE)

    def _count(self, counts: RunCounts, *, is_walk: bool) -> None:
        self.totals.add(counts)
        self._report.applied(counts, is_walk=is_walk)


def _changed(files: Sequence[Path], missing: Mapping[Path, bool], store: TrackStore) -> Iterator[Source]:
    """Yields files, and then the missing ones: a file that was moved has its new path before it loses the old one."""
    yield from classify_files(files, store)
    names = {display_path(path): is_folder for path, is_folder in missing.items()}
    gone = [name for name, is_folder in names.items() if not is_folder]
    yield from map(Missing, missing_among(gone, [name for name in names if name not in gone], store))
