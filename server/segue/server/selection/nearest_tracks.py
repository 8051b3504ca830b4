"""The results of a search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from segue.core.index.vector_index import Neighbour

Track = tuple[Neighbour, bytes]
"""A recommended track with its encoded metadata."""

SPARE = 10
"""Extra neighbours, for tracks that are removed between the search and the reading of their metadata."""


class FoundNeighbours(NamedTuple):
    """The tracks that a search finds, before their metadata is known.

    Attributes:
        neighbours: the nearest first; some more than requested, since some may have been removed a moment ago.
        k: number of tracks that are requested.
        revision: revision of the catalogue that was searched.
        emptied_by: the field of the filter that left no track, such as "genres", or "".
        is_limited: True if tracks were left out because of others, by a limit or as copies.
        is_filtered: True if only the tracks of a filter were searched.
    """

    neighbours: list[Neighbour]
    k: int
    revision: int
    emptied_by: str = ""
    is_limited: bool = False
    is_filtered: bool = False


class NearestTracks(NamedTuple):
    """The result of a search.

    Attributes:
        tracks: the nearest first, each with its encoded metadata.
        revision: revision of the catalogue that was searched.
        stale: True if the store did not answer, so that the result comes from memory.
    """

    tracks: Sequence[Track]
    revision: int
    stale: bool
