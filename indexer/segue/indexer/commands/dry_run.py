"""What a run would do: a dry run of ``segue-indexer add`` and ``sync``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from segue.core.catalogue.store import TrackStore
from segue.indexer.catalogue.removals import gone, orphaned
from segue.indexer.catalogue.session import rehearsing
from segue.indexer.interrupt import Interrupt
from segue.indexer.pipeline.run_counts import Tally
from segue.indexer.pipeline.scan import absolute, find_music, look_up
from segue.indexer.settings import Settings
from segue.indexer.text import display_path


def survey(
    paths: Sequence[Path],
    settings: Settings,
    tally: Tally,
    interrupt: Interrupt,
    show: Callable[[Tally], None],
    matching: bool = False,
) -> None:
    """Counts what would be added, updated and removed; no file is opened, and nothing is written.

    Args:
        paths: files and folders.
        settings: where the catalogue is.
        tally: counts what would be done.
        interrupt: ends the count early.
        show: called with the tally whenever it has changed.
        matching: count also the known files that are gone, and the tracks that would go with them. Only a run that
            opens the files can tell a renamed one from a new one.

    Raises:
        SegueError: as a run would.
    """
    tally.dry_run = True
    with tally.timed(), rehearsing(settings) as store:
        for source in look_up(find_music(paths), store, named=paths):
            if interrupt.came():
                return
            tally.foresee(source)
            show(tally)
        if matching:
            _count_leaving(paths, store, tally)
        tally.tracks = store.count()


def _count_leaving(paths: Sequence[Path], store: TrackStore, tally: Tally) -> None:
    missing = gone([display_path(absolute(path)) for path in paths], store)
    tally.forgotten, tally.removed = len(missing), len(orphaned(missing, store))
