"""Publishes the index at the end of a run."""

from __future__ import annotations

from pathlib import Path

from segue.core.catalogue.store import TrackStore, TrackWriter
from segue.core.index.publishing import publish
from segue.core.index.snapshot import load_newest, older_revision
from segue.core.index.snapshot_header import SnapshotHeader
from segue.indexer.pipeline.run_counts import RunCounts

_PAGE = 10_000
# Trimming the stream after every small change would save little.
_MIN_TRIMMED = 10_000


def finish_run(data: Path, store: TrackStore, writer: TrackWriter, before: int, counts: RunCounts) -> None:
    """Counts the tracks, and publishes the index unless the newest one is current.

    Args:
        data: Segue's data folder.
        store: the catalogue.
        writer: its writer.
        before: revision of the catalogue before the run.
        counts: counts to update: tracks that exist, and tracks that were removed.

    Raises:
        CatalogueLocked: another writer took the lock over.
        SnapshotUnwritable: the disk is full, or the folder cannot be written.
        StoreUnavailable: the store does not answer.
    """
    count_tracks(store, before, counts)
    if needs_index(data, store, before):
        publish_index(data, store, writer)


def count_tracks(store: TrackStore, before: int, counts: RunCounts) -> None:
    """Counts the tracks that exist, and those that were removed after the revision ``before``."""
    counts.tracks = store.count()
    counts.removed = _count_removals(store, before)


def publish_index(
    data: Path, store: TrackStore, writer: TrackWriter, *, min_trimmed: int = _MIN_TRIMMED
) -> SnapshotHeader:
    """Publishes the index, and drops the events before the last one that the older of the two snapshots contains.

    Args:
        data: Segue's data folder.
        store: the catalogue.
        writer: its writer.
        min_trimmed: smallest number of events that are dropped.

    Raises:
        CatalogueLocked: another writer took the lock over; no snapshot of its was changed, and none was published.
        SnapshotUnwritable: the disk is full, or the folder cannot be written.
        StoreUnavailable: the store does not answer.
    """
    header = publish(data, store, writer.check_lock)
    older = older_revision(data)
    if older - (store.state().oldest_revision - 1) >= min_trimmed:
        writer.trim(older - 1)  # by the last event of a snapshot, readers know that it is of this catalogue
    return header


def _count_removals(store: TrackStore, after: int) -> int:
    """Counts the tracks that were removed after a revision."""
    removed = 0
    while events := store.events(after, _PAGE):
        removed += sum(event.kind == "remove" for event in events)
        after = events[-1].revision
    return removed


def needs_index(data: Path, store: TrackStore, before: int) -> bool:
    """Returns whether the catalogue changed since a revision, or has no index of its current revision."""
    state = store.state()
    if state.identity is None or state.revision == 0:
        return False
    newest = load_newest(data, state.identity, since=state.revision, until=state.revision)
    return state.revision != before or newest is None or newest.header.mark != state.mark
