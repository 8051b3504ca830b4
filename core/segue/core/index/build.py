"""Builds the index of a catalogue, and finds its copies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from segue.core.batching import batched
from segue.core.catalogue.store import TrackStore, all_track_ids
from segue.core.features.fingerprint import Fingerprint
from segue.core.index.copies import find_copies
from segue.core.index.vector_index import HnswIndex

_PAGE = 1_000


class BuiltIndex(NamedTuple):
    """The index of a catalogue.

    Attributes:
        vectors: the index of all tracks.
        copies: the group of each track that has copies; see ``find_copies``.
    """

    vectors: HnswIndex
    copies: dict[str, str]


def build_index(store: TrackStore, width: int) -> BuiltIndex:
    """Builds the index of a catalogue.

    Args:
        store: the catalogue.
        width: width of an embedding.

    Raises:
        StoreUnavailable: the store does not answer.
    """
    track_ids, vectors = _read_embeddings(store, width)
    index = HnswIndex.build(track_ids, vectors)
    return BuiltIndex(index, find_copies(index, vectors, lambda page: _read_fingerprints(store, page)))


def _read_embeddings(store: TrackStore, width: int) -> tuple[list[str], NDArray[np.float32]]:
    """Returns the ids [n] and embeddings [n, width] of all tracks."""
    all_ids = list(all_track_ids(store))
    vectors = np.empty((len(all_ids), width), np.float32)
    track_ids: list[str] = []
    for page in batched(all_ids, _PAGE):
        for track_id, embedding in zip(page, store.embeddings(page), strict=True):
            if embedding is not None:  # otherwise it was removed meanwhile, by a later event
                vectors[len(track_ids)] = embedding
                track_ids.append(track_id)
    return track_ids, vectors[: len(track_ids)]


def _read_fingerprints(store: TrackStore, track_ids: Sequence[str]) -> list[Fingerprint | None]:
    return [facts and Fingerprint.from_text(facts.fingerprint) for facts in store.facts(track_ids)]
