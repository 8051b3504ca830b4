"""The chosen tracks are those of a plain oracle, which knows neither a graph nor a table."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue.core.selection import selector
from segue.core.selection.criteria import Criteria, Exclusion, TrackFilter, Variety
from segue.core.selection.track_query import TrackQuery
from tests.helpers.server.invented_criteria import filters, varieties
from tests.helpers.server.invented_library import GENRES, library, oracle


@settings(max_examples=1_000, deadline=None)
@given(st.integers(0, 10_000), st.integers(8, 60), st.integers(1, 20), st.none() | filters, varieties)
def test_chosen_tracks(seed: int, count: int, k: int, wanted: TrackFilter | None, variety: Variety) -> None:
    """Filters, limits and diversity choose what a plain loop over all tracks chooses."""
    made = library(seed, count)
    track_id, embedding = next(iter(made.vectors.items()))
    query = TrackQuery(embedding, k, frozenset({track_id}), Criteria(wanted, variety))
    expected, selected = oracle(made, query), made.selector.select(made.view, query)
    assert expected == selected.neighbours
    assert not (selected.emptied_by and expected)
    quick = made.selector.select_quickly(made.view, query) if made.selector.is_quick(made.view, query) else None
    assert quick is None or expected == quick.neighbours
    if len(expected) < k:
        unlimited = oracle(made, replace(query, criteria=Criteria(wanted, Variety(0, 0, keep_copies=True))))
        assert selected.is_limited == (len(unlimited) > len(expected))
        assert quick is None or selected.is_limited == quick.is_limited


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10_000), st.integers(8, 200), st.integers(1, 20), st.none() | filters, varieties)
def test_tracks_from_a_graph(seed: int, count: int, k: int, wanted: TrackFilter | None, variety: Variety) -> None:
    """In a large catalogue, whose graph is searched for more and more neighbours, the chosen tracks are the same."""
    made = library(seed, count, has_graph=True)
    track_id, embedding = next(iter(made.vectors.items()))
    query = TrackQuery(embedding, k, frozenset({track_id}), Criteria(wanted, variety))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(selector, "_EXACT_NUMBERS", 0)
        selected = made.selector.select(made.view, query).neighbours
    assert [neighbour.track_id for neighbour in oracle(made, query)] == [neighbour.track_id for neighbour in selected]


def test_a_filter_that_leaves_no_track() -> None:
    """The answer names the first condition after which no track is left."""
    made = library(1, 40)
    embedding = next(iter(made.vectors.values()))

    def emptied_by(wanted: TrackFilter) -> str:
        selected = made.selector.select(made.view, TrackQuery(embedding, 5, criteria=Criteria(wanted)))
        assert [] == selected.neighbours
        return selected.emptied_by

    assert "artists" == emptied_by(TrackFilter(genres=frozenset({"jazz"}), artists=frozenset({"unknown"})))
    assert "max_year" == emptied_by(TrackFilter(min_year=1990, max_year=1980))
    assert "exclude.genres" == emptied_by(TrackFilter(exclude=Exclusion(genres=frozenset(GENRES))))
    assert "min_similarity" == emptied_by(
        TrackFilter(min_similarity=1.0, genres=frozenset({"pop"}), artists=frozenset({"Miles"}))
    )


def test_the_mean_of_a_genre() -> None:
    """The mean of a genre is that of its tracks, brought to length 1; a genre without tracks has none."""
    made = library(2, 40)
    jazz = [made.vectors[track_id] for track_id, facts in made.facts.items() if facts.genre == "jazz"]
    mean = np.mean(jazz, axis=0)
    actual = made.selector.mean(made.view, TrackFilter(genres=frozenset({"jazz"})))
    assert actual is not None
    np.testing.assert_allclose(actual, mean / np.linalg.norm(mean), atol=1e-6)
    assert made.selector.mean(made.view, TrackFilter(genres=frozenset({"polka"}))) is None
