"""Random metadata of owners, and everything that can be read of a catalogue."""

from __future__ import annotations

import random

from segue.core.catalogue.records import NO_METADATA, Attribute, OwnMetadata
from segue.core.catalogue.store import TrackStore, all_track_ids

EXTERNAL_IDS = ["e1", "e2", "\u00e9 3"]


def any_metadata(dice: random.Random) -> OwnMetadata:
    """Returns random metadata of an owner, often none; several files may have the same external id."""
    if dice.random() < 0.4:
        return NO_METADATA
    given: dict[str, Attribute] = {"mood": "calm", "bpm": 90.5, "live": True, "lists": ("a", "b")}
    attributes = given if dice.random() < 0.5 else {}
    external_id, title, album = dice.choice([*EXTERNAL_IDS, ""]), dice.choice(["", "T"]), dice.choice(["", "A b"])
    return OwnMetadata(external_id, title, album=album, attributes=attributes)


def content(store: TrackStore, paths: list[str]) -> tuple[object, ...]:
    """Returns everything that can be read of a catalogue with files at these paths."""
    ids = list(all_track_ids(store))
    vectors = [None if vector is None else vector.tobytes() for vector in store.embeddings(ids)]
    tracks = [store.get(ids), store.facts(ids), vectors, store.paths(ids), store.files(paths)]
    tracks.append(store.external_paths(EXTERNAL_IDS))
    return (store.revision(), store.count(), ids, tracks, store.events(0, 10_000))
