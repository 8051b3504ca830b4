"""What a run would do: a dry run of ``segue-indexer add`` and ``sync``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from segue.core.catalogue.store import TrackStore
from segue.indexer.catalogue.removals import missing_files, orphaned_tracks
from segue.indexer.catalogue.session import rehearsing
from segue.indexer.interrupt import Interrupt
from segue.indexer.pipeline.run_counts import RunCounts, Show
from segue.indexer.pipeline.scan import absolute, classify_files, find_music
from segue.indexer.settings import Settings
from segue.indexer.text import display_path


def survey(
    paths: Sequence[Path],
    settings: Settings,
    counts: RunCounts,
    interrupt: Interrupt,
    show: Show,
    matching: bool = False,
) -> None:
    """Counts what would be added, updated and removed; no file is opened, and nothing is written.

    Args:
        paths: files and folders.
        settings: where the catalogue is.
        counts: counts what would be done.
        interrupt: ends the count early.
        show: called with the counts whenever it has changed.
        matching: count also the known files that are gone, and the tracks that would go with them. Only a run that
            opens the files can tell a renamed one from a new one.

    Raises:
        SegueError: as a run would.
    """
    counts.dry_run = True
    with counts.timed(), rehearsing(settings) as store:
        for source in classify_files(find_music(paths), store, named=paths):
            if interrupt.requested():
                return
            counts.count_planned(source)
            show(counts)
        if matching:
            _count_leaving(paths, store, counts)
        counts.tracks = store.count()


def _count_leaving(paths: Sequence[Path], store: TrackStore, counts: RunCounts) -> None:
    missing = missing_files([display_path(absolute(path)) for path in paths], store)
    counts.forgotten, counts.removed = len(missing), len(orphaned_tracks(missing, store))
