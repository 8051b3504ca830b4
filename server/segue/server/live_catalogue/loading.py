"""Loads a view of the catalogue from the newest snapshot or from the store, and brings it up to date."""

from __future__ import annotations

import logging
from pathlib import Path

from segue.core.catalogue.identity import CatalogueState, Identity
from segue.core.catalogue.store import TrackStore, all_track_ids
from segue.core.index import snapshot
from segue.core.selection.view import View

_EVENTS_PER_READ = 10_000

_log = logging.getLogger(__name__)


def load_view(data: Path, store: TrackStore, identity: Identity, state: CatalogueState) -> View:
    """Loads the newest snapshot after which the store has every event, else all embeddings from the store.

    Args:
        data: folder with the snapshots.
        store: the store of the catalogue.
        identity: identity of the catalogue.
        state: an earlier state of the store; later events may be in the view.
    """
    view = _load_snapshot(data, identity, state)
    return (view and updated(view, store, state)) or _load_tracks(store, identity, state)


def _load_snapshot(data: Path, identity: Identity, state: CatalogueState) -> View | None:
    loaded = snapshot.load_newest(data, identity, since=state.oldest_revision - 1, until=state.revision)
    if loaded is None:
        return None
    header, index = loaded.header, loaded.index
    _log.info("loaded the snapshot of event %d with %d tracks", header.revision, header.tracks)
    return View(identity, header.revision, index, frozenset(index.track_ids), mark=header.mark, copies=loaded.copies)


def _load_tracks(store: TrackStore, identity: Identity, state: CatalogueState) -> View:
    ids = list(all_track_ids(store))
    pairs = zip(ids, store.embeddings(ids), strict=True)
    added = {track_id: vector for track_id, vector in pairs if vector is not None}
    return View(identity, state.revision, added=added, mark=state.mark)


def updated(view: View, store: TrackStore, state: CatalogueState) -> View | None:
    """Returns a view after all events of the store, or None if the store has not had all events of the view.

    That is so when Redis has lost its last events, as a replica that took over or a restored one; others may have got
    their revisions since. So each read begins with the last event of the view, which has a mark of its own.

    Args:
        view: the view.
        store: the store of the catalogue.
        state: state of the store.
    """
    if view.revision >= state.revision:
        return view if (view.revision, view.mark) == (state.revision, state.mark) else None
    while view.revision < state.revision:
        events = store.events(max(0, view.revision - 1), _EVENTS_PER_READ)
        if view.revision:
            if not events or (events[0].revision, events[0].mark) != (view.revision, view.mark):
                return None
            events = events[1:]
        if not events:
            break
        view = view.apply(events, store)
    return view
