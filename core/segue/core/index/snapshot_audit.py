"""Finds out whether the snapshots agree with the catalogue that they are checkpoints of."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from segue.core.catalogue.finding import Finding
from segue.core.catalogue.records import Identity
from segue.core.catalogue.store import TrackStore, all_track_ids
from segue.core.errors import SnapshotDamaged
from segue.core.index.snapshot import Snapshot, load, published

_PAGE = 10_000


def audit_snapshots(data: Path, store: TrackStore, identity: Identity) -> Iterator[Finding]:
    """What is wrong with the snapshots of a catalogue that no one writes meanwhile.

    Args:
        data: Segue's data folder.
        store: the catalogue.
        identity: what it is.

    Raises:
        StoreUnavailable: the store does not answer.
    """
    oldest, newest = store.oldest_revision(), store.revision()
    folders = published(data / "snapshots")
    if not folders and newest > 0:
        yield Finding("the index", "There is none.")
    for folder in folders:
        try:
            # One that the events have left behind is of no use, but nothing is wrong with it.
            snapshot = load(folder, identity, since=0, until=newest)
        except SnapshotDamaged as error:
            yield Finding(folder.name, f"The snapshot cannot be used: {error}.")
            continue
        if snapshot.header.revision >= oldest - 1:
            yield from _compare(folder.name, snapshot, store)


def _compare(name: str, snapshot: Snapshot, store: TrackStore) -> Iterator[Finding]:
    """Whether the tracks of a snapshot, and what the events made of them, are those that there are."""
    followed, there = _followed(snapshot, store), set(all_track_ids(store))
    if followed is not None and followed != there:
        example = min(followed ^ there)
        yield Finding(name, f"Its tracks and the events after it do not give the tracks that there are: {example}.")


def _followed(snapshot: Snapshot, store: TrackStore) -> set[str] | None:
    """What the events after a snapshot make of its tracks; None where one is missing or damaged."""
    tracks, after = set(snapshot.index.track_ids), snapshot.header.revision
    with suppress(KeyError):
        while events := store.events(after, _PAGE):
            for event in events:
                after += 1
                if event.revision != after or event.kind not in {"add", "remove"}:
                    return None
                (tracks.add if event.kind == "add" else tracks.discard)(event.track_id)
    return tracks if after == store.revision() else None
