"""The end of every run that may have changed the catalogue."""

from __future__ import annotations

from pathlib import Path

from segue.core.snapshot import load_newest, publish
from segue.core.store import TrackStore
from segue.indexer.tally import Tally

_PAGE = 10_000


def conclude(data: Path, store: TrackStore, before: int, tally: Tally) -> None:
    """Counts the tracks, and publishes the index if it is not the newest.

    Args:
        data: the folder where Segue keeps its state.
        store: the catalogue.
        before: its revision before the run.
        tally: gets the tracks that there are, and those that were removed.

    Raises:
        SnapshotUnwritable: the disk is full, or the folder cannot be written.
        StoreUnavailable: the store does not answer.
    """
    tally.tracks = store.count()
    tally.removed = _removals(store, before)
    _publish(data, store, before)


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
