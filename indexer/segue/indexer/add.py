"""``segue-indexer add``: takes music into the catalogue and publishes its index."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from segue.core.snapshot import load_newest, publish
from segue.core.store import TrackStore
from segue.indexer.bootstrap import Settings, assemble
from segue.indexer.interrupt import Interrupt
from segue.indexer.pipeline import Pipeline
from segue.indexer.sources import find_music, look_up
from segue.indexer.tally import Tally

_PAGE = 10_000


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
        pipeline = Pipeline(parts.workers, parts.ears, parts.writer, tally, show)
        pipeline.run(look_up(find_music(paths), parts.store), interrupt.came)
        tally.tracks = parts.store.count()
        tally.removed = _removals(parts.store, before)
        _publish(settings.data, parts.store, before)


def _removals(store: TrackStore, after: int) -> int:
    """How many tracks were removed since a revision."""
    removed = 0
    while events := store.events(after, _PAGE):
        removed += sum(event.kind == "remove" for event in events)
        after = events[-1].revision
    return removed


def _publish(data: Path, store: TrackStore, before: int) -> None:
    """Publishes the index, unless that was done by a run after which nothing changed."""
    identity, revision = store.identity(), store.revision()
    if identity is None or revision == 0:
        return
    if revision == before and load_newest(data, identity, since=revision, until=revision) is not None:
        return
    publish(data, store)
