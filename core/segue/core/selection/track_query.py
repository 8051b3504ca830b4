"""A search for tracks, and its result."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from segue.core.index.vector_index import Neighbour, Vectors
from segue.core.selection.criteria import Criteria


@dataclass(frozen=True)
class TrackQuery:
    """A search for tracks.

    Attributes:
        embedding: the embedding [e] of length 1 to compare with.
        count: number of tracks to choose, at least 1.
        seeds: ids of the seeds that are tracks, which are left out.
        exclude: ids of further tracks to leave out.
        criteria: the conditions of the caller.
        is_one_seed: True if the embedding is that of one seed.
        counted: ids of further tracks, which count for the limits.
    """

    embedding: Vectors
    count: int
    seeds: frozenset[str] = frozenset()
    criteria: Criteria = field(default_factory=Criteria)
    is_one_seed: bool = True
    exclude: frozenset[str] = frozenset()
    counted: tuple[str, ...] = ()

    @property
    def hidden(self) -> frozenset[str]:
        """Ids of all tracks to leave out."""
        return self.seeds | self.exclude

    @property
    def min_similarity(self) -> float:
        """Least similarity of a track that may be chosen."""
        wanted = self.criteria.filter
        return -np.inf if wanted is None or wanted.min_similarity is None else wanted.min_similarity


class Selected(NamedTuple):
    """The chosen tracks.

    Attributes:
        neighbours: the tracks, the first one first.
        emptied_by: the field of the filter that left no track, such as "genres", or "".
        is_limited: True if tracks were left out because of others, by a limit or as copies.
    """

    neighbours: list[Neighbour]
    emptied_by: str = ""
    is_limited: bool = False
