"""Playlists that are empty or short, and those before the tracks are read."""

from __future__ import annotations

from typing import Any, cast

import pytest

from segue.core.errors import Starting
from segue.core.index.vector_index import Neighbour
from segue.core.selection.criteria import Criteria, Exclusion, TrackFilter, Variety
from segue.core.selection.track_table import TrackTable
from segue.server.live_catalogue.catalogue_search import CatalogueSearch
from segue.server.live_catalogue.playlists.search import PlaylistSearch
from segue.server.observability.metrics import Metrics
from tests.helpers.server.invented_library import GENRES, library
from tests.unit.server.live_catalogue.playlists.libraries import (
    Catalogue,
    list_of,
    path_query,
    query_for,
    search_of,
)


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        (TrackFilter(genres=frozenset({"jazz"}), exclude=Exclusion(genres=frozenset({"jazz"}))), "exclude.genres"),
        (TrackFilter(min_year=1990, max_year=1980), "max_year"),
        (TrackFilter(exclude=Exclusion(genres=frozenset(GENRES))), "exclude.genres"),
        (TrackFilter(min_similarity=1.0), "min_similarity"),
    ],
)
def test_filters_that_contradict(wanted: TrackFilter, field: str) -> None:
    """A filter that leaves no track gives an empty playlist that names the condition."""
    made = library(1, 40)
    search, criteria = search_of(made), Criteria(wanted)
    path = search.find_path(path_query(made, 5, criteria)).found
    continued = search.continue_list(query_for(made, list_of(made, 3), 5.0, 10, criteria))
    nothing: list[Neighbour] = []
    assert [(nothing, field)] * 2 == [(each.neighbours, each.emptied_by) for each in (path, continued)]


def test_too_few_tracks() -> None:
    """If the limits leave too few tracks, the playlists are shorter and say so; a path keeps its ends."""
    made = library(1, 60)
    by_two = TrackFilter(artists=frozenset({"Miles", "Nina"}))
    criteria = Criteria(by_two, Variety(per_artist=1))
    path = search_of(made).find_path(path_query(made, 8, criteria)).found
    continued = search_of(made).continue_list(query_for(made, list_of(made, 1), 5.0, 10, criteria))
    assert (True, True) == (path.is_limited, continued.is_limited)
    assert 2 <= len(path.neighbours) < 10
    assert len(continued.neighbours) < 10


def test_tracks_that_are_not_read_yet() -> None:
    """A filter has to wait until the tracks are read; without one, playlists are found at once."""
    made = library(1, 40)
    catalogue = Catalogue(made)
    catalogue.table = TrackTable()
    known = cast("Any", catalogue)
    search = PlaylistSearch(CatalogueSearch(known, Metrics()), Metrics())
    with pytest.raises(Starting):
        search.find_path(path_query(made, 5, Criteria(TrackFilter(min_year=1))))
    assert 7 == len(search.find_path(path_query(made, 5, Criteria())).found.neighbours)
