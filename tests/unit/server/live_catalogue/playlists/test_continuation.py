"""A continuation is that of a plain oracle, which knows neither a graph nor a table."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue.core.index.vector_index import Vectors
from segue.core.selection.criteria import Criteria, TrackFilter, Variety
from segue.core.selection.track_query import TrackQuery
from tests.helpers.server.invented_criteria import filters, varieties
from tests.helpers.server.invented_library import library, oracle
from tests.unit.server.live_catalogue.playlists.libraries import (
    artist_of,
    constants,
    list_of,
    query_for,
    search_of,
    target,
)

SEEDS = st.integers(0, 10_000)


@settings(max_examples=200, deadline=None)
@given(
    SEEDS,
    st.integers(8, 60),
    st.integers(1, 6),
    st.sampled_from((0.1, 2.0, 5.0, 1000.0)),
    st.integers(1, 20),
    st.none() | filters,
    varieties,
)
def test_a_continuation(
    seed: int, count: int, length: int, half_life: float, limit: int, wanted: TrackFilter | None, variety: Variety
) -> None:
    """Each track is the best one of those that may be recommended for the list, after the tracks before it."""
    made = library(seed, count, has_graph=True)
    items = list_of(made, min(length, len(made.vectors)))
    query = query_for(made, items, half_life, limit, Criteria(wanted, variety))
    allowed = replace(variety, diversity=0.0)
    pool = oracle(made, TrackQuery(query.start, 500, query.track_ids, Criteria(wanted, allowed)))
    with constants():
        found = search_of(made).continue_list(query)
    chosen = [neighbour.track_id for neighbour in found.neighbours]
    assert min(limit + 10, len(pool)) == len(chosen) == len({*chosen})
    last = artist_of(made.facts[items[-1]])
    for place, neighbour in enumerate(found.neighbours):
        before = [made.vectors[track_id] for track_id in chosen[:place]]
        point = target(query.played, before)
        assert pytest.approx(float(made.vectors[neighbour.track_id] @ point), abs=1e-5) == neighbour.similarity
        rest = [each.track_id for each in pool if each.track_id not in chosen[:place]]
        others = [each for each in rest if not (last and artist_of(made.facts[each]) == last)]
        values = {each: value_of(made.vectors[each], point, before, variety.diversity) for each in rest}
        candidates = others if others and variety.per_artist else rest
        assert neighbour.track_id in candidates
        assert values[neighbour.track_id] >= max(values[each] for each in candidates) - 1e-5
        last = artist_of(made.facts[neighbour.track_id])


def value_of(vector: Vectors, point: Vectors, before: list[Vectors], diversity: float) -> float:
    """Returns the value by which the next track is chosen."""
    alike = max((float(vector @ other) for other in before), default=0.0)
    return (1 - diversity) * float(vector @ point) - diversity * alike
