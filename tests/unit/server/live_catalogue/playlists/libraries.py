"""Playlists of made-up libraries."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import numpy as np
import pytest
from hypothesis import reject

from segue.core.catalogue.records import TrackFacts
from segue.core.index.vector_index import Vectors
from segue.core.selection import selector
from segue.core.selection.criteria import Criteria
from segue.core.selection.view import View
from segue.server.live_catalogue.catalogue_search import CatalogueSearch, SearchedCatalogue
from segue.server.live_catalogue.playlists import draft
from segue.server.live_catalogue.playlists.continuation import PlayedList
from segue.server.live_catalogue.playlists.search import ContinuationQuery, PathEnd, PathQuery, PlaylistSearch
from segue.server.observability.metrics import Metrics
from tests.helpers.server.invented_library import Library, fold
from tests.helpers.server.live_catalogues import WIDTH


class Catalogue:
    """The tracks of a library, as ``LiveCatalogue`` has them."""

    damaged_tracks: frozenset[str] = frozenset()

    def __init__(self, made: Library) -> None:
        self.view, self.table = made.view, made.selector._table

    def searchable_view(self) -> View:
        """Returns the tracks."""
        return self.view

    @property
    def store(self) -> object:
        """An empty store."""
        return None


def search_of(made: Library) -> PlaylistSearch:
    """Searches a library."""
    catalogue = cast("SearchedCatalogue", Catalogue(made))
    return PlaylistSearch(CatalogueSearch(catalogue, Metrics()), Metrics())


@contextmanager
def constants(rounds: int = draft.ROUNDS, offered: int = draft.OFFERED, exact: int = 0) -> Iterator[None]:
    """Sets constants, so that few tracks reach every branch."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(selector, "_EXACT_NUMBERS", exact)
        patch.setattr(draft, "ROUNDS", rounds)
        patch.setattr(draft, "OFFERED", offered)
        yield


def artist_of(facts: TrackFacts) -> str:
    """Returns the artist by which tracks are limited."""
    return fold((facts.artists or (facts.artist,))[0])


def list_of(made: Library, count: int) -> list[str]:
    """Returns the ids of the first tracks of a library."""
    return list(made.vectors)[:count]


def query_for(made: Library, items: list[str], half_life: float, count: int, criteria: Criteria) -> ContinuationQuery:
    """Returns the query for the continuation of a list of tracks."""
    dice = np.random.default_rng(len(items))
    weights = dice.choice([0.5, 1.0, 2.0], len(items))
    played = PlayedList(np.stack([made.vectors[item] for item in items]), weights, half_life)
    return ContinuationQuery(played, target(played, []), frozenset(items), items[-1], count, criteria)


def target(played: PlayedList, chosen: list[Vectors]) -> Vectors:
    """Returns the point that the next track is compared with: the weighted sum, written out."""
    vectors, weights = [*played.embeddings, *chosen], [*played.weights, *[1.0] * len(chosen)]
    total = np.zeros(WIDTH)
    for age, (vector, weight) in enumerate(zip(reversed(vectors), reversed(weights), strict=True)):
        total += weight * 2 ** (-age / played.half_life) * vector.astype(np.float64)
    unit: Vectors = (total / np.linalg.norm(total)).astype(np.float32)
    return unit


def path_query(made: Library, between: int, criteria: Criteria) -> PathQuery:
    """Returns the query for a path between the first two tracks of a library that are no copies of each other."""
    start, *others = made.vectors
    groups = made.copies
    other_recordings = [each for each in others if groups.get(each, each) != groups.get(start, start)]
    if not other_recordings:
        reject()
    ends = [PathEnd(made.vectors[each], each, is_track=True) for each in (start, other_recordings[0])]
    return PathQuery(ends[0], ends[1], between, criteria)
