"""Checks that the snapshots agree with their catalogue."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from segue.core.catalogue.finding import Finding
from segue.core.catalogue.identity import Identity
from segue.core.catalogue.store import TrackStore, all_track_ids
from segue.core.errors import SnapshotDamaged
from segue.core.index.snapshot import Snapshot, list_snapshots, load

_PAGE = 10_000


def audit_snapshots(data: Path, store: TrackStore, identity: Identity) -> Iterator[Finding]:
    """Yields findings about the snapshots of a catalogue while no process writes it.

    Args:
        data: Segue's data folder.
        store: the catalogue.
        identity: the identity of the catalogue.

    Raises:
        StoreUnavailable: the store does not answer.
    """
    state = store.state()
    folders = list_snapshots(data / "snapshots")
    if not folders and state.revision > 0:
        yield Finding("the index", "It does not exist.")
    for folder in folders:
        try:
            # A snapshot that is older than the events cannot be used, but is not wrong.
            snapshot = load(folder, identity, since=0, until=state.revision)
        except SnapshotDamaged as error:
            yield Finding(folder.name, f"The snapshot cannot be used: {error}.")
            continue
        if snapshot.header.revision >= state.oldest_revision - 1:
            yield from _compare(folder.name, snapshot, store)


def _compare(name: str, snapshot: Snapshot, store: TrackStore) -> Iterator[Finding]:
    """Yields a finding if a snapshot and the events after it do not give the tracks of the catalogue."""
    last = store.events(max(0, snapshot.header.revision - 1), 1)
    if last and last[0].revision == snapshot.header.revision and last[0].mark != snapshot.header.mark:
        yield Finding(name, "It was made of events that Redis has lost.")
        return
    expected, actual = _apply_events(snapshot, store), set(all_track_ids(store))
    if expected is not None and expected != actual:
        example = min(expected ^ actual)
        yield Finding(name, f"Its tracks and the events after it do not give the tracks of the catalogue: {example}.")


def _apply_events(snapshot: Snapshot, store: TrackStore) -> set[str] | None:
    """Returns the ids of a snapshot's tracks after all events, or None if an event is missing or damaged."""
    tracks, after = set(snapshot.index.track_ids), snapshot.header.revision
    with suppress(KeyError):
        while events := store.events(after, _PAGE):
            for event in events:
                after += 1
                if event.revision != after or event.kind not in {"add", "remove"}:
                    return None
                (tracks.add if event.kind == "add" else tracks.discard)(event.track_id)
    return tracks if after == store.revision() else None
