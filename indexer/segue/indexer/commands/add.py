"""``segue-indexer add``: takes music into the catalogue and publishes its index."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from segue.indexer.catalogue.publish import conclude
from segue.indexer.catalogue.session import Parts, assemble
from segue.indexer.interrupt import Interrupt
from segue.indexer.pipeline.pipeline import Pipeline
from segue.indexer.pipeline.run_counts import Tally
from segue.indexer.pipeline.scan import find_music, look_up
from segue.indexer.settings import Settings


def add(
    paths: Sequence[Path], settings: Settings, tally: Tally, interrupt: Interrupt, show: Callable[[Tally], None]
) -> None:
    """Takes the music under ``paths`` into the catalogue, and publishes the index if it is not the newest.

    Args:
        paths: files and folders.
        settings: where the catalogue is, and what hears.
        tally: counts what is done; it stands also when the run fails.
        interrupt: ends the run early; what was heard by then is committed and published.
        show: called with the tally whenever it has changed.

    Raises:
        SegueError: the catalogue, the model or the index cannot be used.
    """
    with tally.timed(), assemble(settings) as parts:
        before = parts.store.revision()
        take(paths, parts, tally, interrupt, show)
        conclude(settings.data, parts.store, parts.writer, before, tally)


def take(
    paths: Sequence[Path], parts: Parts, tally: Tally, interrupt: Interrupt, show: Callable[[Tally], None]
) -> None:
    """Takes the music under ``paths`` into a catalogue that is locked for this run; see ``add``."""
    pipeline = Pipeline(parts.workers, parts.ears, parts.writer, tally, show)
    pipeline.run(look_up(find_music(paths), parts.store, named=paths), interrupt.came)
