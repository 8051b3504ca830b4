"""The result of a search."""

from __future__ import annotations

from typing import NamedTuple

from segue.core.catalogue.records import Track
from segue.core.index.vector_index import Neighbour


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
