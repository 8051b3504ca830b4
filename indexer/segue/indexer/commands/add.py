"""``segue-indexer add``: takes music into the catalogue and publishes its index."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from segue.indexer.catalogue.publish import finish_run
from segue.indexer.catalogue.session import Session, open_session
from segue.indexer.interrupt import Interrupt
from segue.indexer.pipeline.pipeline import Pipeline
from segue.indexer.pipeline.run_counts import RunCounts, Show
from segue.indexer.pipeline.scan import classify_files, find_music
from segue.indexer.settings import Settings


def add(
    paths: Sequence[Path],
    settings: Settings,
    counts: RunCounts,
    interrupt: Interrupt,
    show: Show,
) -> None:
    """Takes the music under ``paths`` into the catalogue, and publishes the index if it is not the newest.

    Args:
        paths: files and folders.
        settings: where the catalogue is, and what hears.
        counts: counts what is done; it stands also when the run fails.
        interrupt: ends the run early; what was heard by then is committed and published.
        show: called with the counts whenever it has changed.

    Raises:
        SegueError: the catalogue, the model or the index cannot be used.
    """
    with counts.timed(), open_session(settings) as session:
        before = session.store.revision()
        take(paths, session, counts, interrupt, show)
        finish_run(settings.data, session.store, session.writer, before, counts)


def take(paths: Sequence[Path], session: Session, counts: RunCounts, interrupt: Interrupt, show: Show) -> None:
    """Takes the music under ``paths`` into a catalogue that is locked for this run; see ``add``."""
    pipeline = Pipeline(session.workers, session.predictor, session.writer, counts, show)
    pipeline.run(classify_files(find_music(paths), session.store, named=paths), interrupt.requested)
