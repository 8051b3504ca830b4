"""The result of a search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from segue.core.catalogue.records import Track
from segue.core.errors import StoreUnavailable
from segue.core.index.vector_index import Neighbour
from segue.server.live_catalogue.metadata_cache import MetadataCache


class NearestTracks(NamedTuple):
    """The result of a search.

    Attributes:
        tracks: the nearest first.
        revision: revision of the catalogue that was searched.
        stale: True if the store did not answer, so that the result comes from memory.
    """

    tracks: list[tuple[Neighbour, Track]]
    revision: int
    stale: bool


def with_cached_metadata(
    neighbours: Sequence[Neighbour], metadata: MetadataCache, error: StoreUnavailable
) -> list[tuple[Neighbour, Track]]:
    """Returns the neighbours with their tracks from memory.

    Raises:
        StoreUnavailable: ``error``, since a track is not in memory.
    """
    cached = metadata.get([neighbour.track_id for neighbour in neighbours])
    pairs = [(neighbour, track) for neighbour, track in zip(neighbours, cached, strict=True) if track is not None]
    if len(pairs) < len(neighbours):
        raise error
    return pairs
