"""The end of every run that may have changed the catalogue."""

from __future__ import annotations

from pathlib import Path

from segue.core.catalogue.store import TrackStore, TrackWriter
from segue.core.index.snapshot import load_newest, older_revision, publish
from segue.core.index.snapshot_header import Header
from segue.indexer.pipeline.run_counts import RunCounts

_PAGE = 10_000


MIN_TRIMMED = 10_000
"""Events are dropped from the stream in no smaller numbers than this."""


def finish_run(data: Path, store: TrackStore, writer: TrackWriter, before: int, counts: RunCounts) -> None:
    """Counts the tracks, and publishes the index if it is not the newest.

    Args:
        data: the folder where Segue keeps its state.
        store: the catalogue.
        writer: its writer.
        before: its revision before the run.
        counts: gets the tracks that there are, and those that were removed.

    Raises:
        SnapshotUnwritable: the disk is full, or the folder cannot be written.
        StoreUnavailable: the store does not answer.
    """
    counts.tracks = store.count()
    counts.removed = _removals(store, before)
    if _has_to_be_published(data, store, before):
        publish_index(data, store, writer)


def publish_index(data: Path, store: TrackStore, writer: TrackWriter) -> Header:
    """Publishes the index, and drops the events that no reader of one of the two snapshots needs.

    Raises:
        SnapshotUnwritable: the disk is full, or the folder cannot be written.
        StoreUnavailable: the store does not answer.
    """
    header = publish(data, store)
    older = older_revision(data)
    if older - (store.oldest_revision() - 1) >= MIN_TRIMMED:
        writer.trim(older)
    return header


def _removals(store: TrackStore, after: int) -> int:
    """How many tracks were removed since a revision."""
    removed = 0
    while events := store.events(after, _PAGE):
        removed += sum(event.kind == "remove" for event in events)
        after = events[-1].revision
    return removed


def _has_to_be_published(data: Path, store: TrackStore, before: int) -> bool:
    """Whether the index is not that of a run after which nothing changed."""
    identity, revision = store.identity(), store.revision()
    if identity is None or revision == 0:
        return False
    return revision != before or load_newest(data, identity, since=revision, until=revision) is None
