"""Loads a view of the catalogue from the newest snapshot, or from the store."""

from __future__ import annotations

import logging
from pathlib import Path

from segue.core.catalogue.records import Identity
from segue.core.catalogue.store import TrackStore, all_track_ids
from segue.core.index import snapshot
from segue.server.live_catalogue.view import View

_log = logging.getLogger(__name__)


def load_view(data: Path, store: TrackStore, identity: Identity, newest: int) -> View:
    """Loads the newest snapshot after which the store has every event, else all embeddings from the store.

    Args:
        data: folder with the snapshots.
        store: the store of the catalogue.
        identity: identity of the catalogue.
        newest: the last event of the store.
    """
    loaded = snapshot.load_newest(data, identity, since=store.oldest_revision() - 1, until=newest)
    if loaded:
        _log.info("loaded the snapshot of event %d with %d tracks", loaded.header.revision, loaded.header.tracks)
        return View(identity, loaded.header.revision, loaded.index, frozenset(loaded.index.track_ids))
    ids = list(all_track_ids(store))
    pairs = zip(ids, store.embeddings(ids), strict=True)
    return View(identity, newest, added={track_id: vector for track_id, vector in pairs if vector is not None})
