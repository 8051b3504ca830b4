"""A path is that of a plain oracle, which knows neither a graph nor a table nor dynamic programming."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from segue.core.index.vector_index import Vectors
from segue.core.selection.criteria import Criteria, TrackFilter, Variety
from segue.server.live_catalogue.playlists import draft
from segue.server.live_catalogue.playlists.paths import angle_between, waypoints
from segue.server.live_catalogue.playlists.search import PathEnd, PathQuery
from tests.helpers.server.invented_criteria import filters, varieties
from tests.helpers.server.invented_library import Library, fold, library, meets, random_vector
from tests.unit.server.live_catalogue.playlists.libraries import (
    artist_of,
    constants,
    path_query,
    search_of,
)

SEEDS = st.integers(0, 10_000)
# Rounding may change the order of similarities that are as near to each other.
TIE = 1e-6


class Taken:
    """Counts the tracks that points have, one by one.

    Attributes:
        ids: the tracks.
    """

    def __init__(self, made: Library, variety: Variety, ends: list[str]) -> None:
        self._made, self._variety = made, variety
        self.ids: set[str] = set()
        self._artists: Counter[str] = Counter()
        self._albums: Counter[tuple[str, str]] = Counter()
        self._recordings: Counter[str] = Counter()
        for end in ends:
            self.add(end)

    def add(self, track_id: str) -> None:
        """Counts a track."""
        facts = self._made.facts[track_id]
        self.ids.add(track_id)
        self._artists[artist_of(facts)] += 1
        self._albums[fold(facts.artist), fold(facts.album)] += 1
        self._recordings[self._made.copies.get(track_id, track_id)] += 1

    def is_open(self, track_id: str) -> bool:
        """Returns whether a track is free and within the limits."""
        facts, variety = self._made.facts[track_id], self._variety
        artist, album = artist_of(facts), (fold(facts.artist), fold(facts.album))
        return not (
            track_id in self.ids
            or (variety.per_artist and artist and self._artists[artist] >= variety.per_artist)
            or (variety.per_album and facts.album and self._albums[album] >= variety.per_album)
            or (not variety.keep_copies and self._recordings[self._made.copies.get(track_id, track_id)])
        )


def ranking(made: Library, point: Vectors, wanted: TrackFilter, ends: list[str]) -> list[str]:
    """Returns all tracks that meet a filter, the nearest to a point first.

    Examples whose order depends on rounding are rejected.
    """
    similarities = {
        track_id: float(vector @ point)
        for track_id, vector in made.vectors.items()
        if track_id not in ends and meets(track_id, made.facts[track_id], wanted)
    }
    order = sorted(similarities, key=lambda each: -similarities[each])
    if any(similarities[one] - similarities[other] < TIE for one, other in pairwise(order)):
        reject()
    least = -1.0 if wanted.min_similarity is None else wanted.min_similarity
    if any(abs(value - least) < TIE for value in similarities.values()):
        reject()
    return [track_id for track_id in order if similarities[track_id] >= least]


def layers_of(made: Library, query: PathQuery) -> list[list[str]]:
    """Distributes tracks among the points of a path, which are not more than there are tracks."""
    wanted, between = query.criteria.filter or TrackFilter(), query.between
    layers = layers_between(made, query, between)
    while 0 < len(layers) < between and wanted.min_similarity is None:
        between = len(layers)
        layers = layers_between(made, query, between)
    return layers


def layers_between(made: Library, query: PathQuery, between: int) -> list[list[str]]:
    """Distributes tracks among so many points of a path, in plain loops."""
    wanted, ends = query.criteria.filter or TrackFilter(), [query.start.track_id, query.end.track_id]
    taken = Taken(made, query.criteria.variety, ends)
    points = waypoints(query.start.embedding, query.end.embedding, between)
    rankings = [ranking(made, point, wanted, ends) for point in points]
    layers: list[list[str]] = [[] for _ in points]
    for number in range(draft.ROUNDS):
        for order, layer in zip(rankings, layers, strict=True):
            offered = order if number == 0 else order[: draft.OFFERED]
            for track_id in [each for each in offered if taken.is_open(each)][:1]:
                taken.add(track_id)
                layer.append(track_id)
    return [layer for layer in layers if layer]


class Costs:
    """The costs of paths."""

    def __init__(self, made: Library, variety: Variety) -> None:
        self._made, self._variety = made, variety
        self._steps: dict[tuple[str, str], float] = {}

    def of(self, path: tuple[str, ...] | list[str]) -> float:
        """Returns the sum of the squared angles, and 1,000 for each two neighbours by one artist if artists matter."""
        return sum(self._steps.get(step) or self._step(step) for step in pairwise(path))

    def _step(self, step: tuple[str, str]) -> float:
        one, other = step
        artists = {artist_of(self._made.facts[each]) for each in step}
        is_same = bool(self._variety.per_artist and len(artists) == 1 and artists != {""})
        self._steps[step] = angle_between(self._made.vectors[one], self._made.vectors[other]) ** 2 + 1_000 * is_same
        return self._steps[step]


def test_fewer_tracks_than_points() -> None:
    """The tracks lie along the whole way: the greatest step is no longer than if so many had been requested."""
    made = library(3, 60, has_graph=True)
    variety = Variety(per_artist=2)
    many = search_of(made).find_path(path_query(made, 40, Criteria(None, variety)))
    tracks = len(many.steps) - 1
    assert 1 < tracks < 40
    few = search_of(made).find_path(path_query(made, tracks, Criteria(None, variety)))
    assert few.steps == many.steps


@settings(max_examples=200, deadline=None)
@given(
    SEEDS,
    st.integers(8, 60),
    st.sampled_from(((1, 8), (3, 8), (7, 2), (12, 1))),
    st.sampled_from((2, 100)),
    st.none() | filters,
    varieties,
)
def test_a_path(
    seed: int, count: int, size: tuple[int, int], offered: int, wanted: TrackFilter | None, variety: Variety
) -> None:
    """A path is the smoothest one of all choices of one track for each point, which are tried one by one."""
    made = library(seed, count, has_graph=True)
    between, rounds = size
    query = path_query(made, between, Criteria(wanted, replace(variety, diversity=0.0)))
    with constants(rounds, offered):
        layers, path = layers_of(made, query), search_of(made).find_path(query)
    found = [neighbour.track_id for neighbour in path.found.neighbours]
    if path.found.emptied_by:
        assert ([], []) == (layers, found)
        return
    start, end = query.start.track_id, query.end.track_id
    assert (start, end, len(layers) + 2) == (found[0], found[-1], len(found))
    assert all(track_id in layer for track_id, layer in zip(found[1:-1], layers, strict=True))
    costs = Costs(made, variety)
    least = min(costs.of((start, *choice, end)) for choice in product(*layers))
    assert pytest.approx(least, rel=1e-6) == costs.of(found)
    steps = [angle_between(made.vectors[one], made.vectors[other]) for one, other in pairwise(found)]
    np.testing.assert_allclose(np.degrees(steps), path.steps, atol=1e-4)
    similarities = [neighbour.similarity for neighbour in path.found.neighbours]
    np.testing.assert_allclose([1.0, *np.cos(steps)], similarities, atol=1e-5)


def test_ends_that_are_no_tracks() -> None:
    """Ends that are no tracks are not in the path, which is as long as requested."""
    made, dice = library(1, 60, has_graph=True), np.random.default_rng(1)
    start, end = PathEnd(random_vector(dice)), PathEnd(random_vector(dice))
    path = search_of(made).find_path(PathQuery(start, end, 5, Criteria(variety=Variety(0, keep_copies=True))))
    first, *_, last = path.found.neighbours
    assert (5, 6) == (len(path.found.neighbours), len(path.steps))
    assert pytest.approx(float(made.vectors[first.track_id] @ start.embedding), abs=1e-5) == first.similarity
    step = np.degrees(angle_between(made.vectors[last.track_id], end.embedding))
    assert pytest.approx(step, abs=1e-3) == path.steps[-1]


def test_a_path_is_smoother_than_other_orders() -> None:
    """The greatest step of a path is less than that of its tracks in most random orders."""
    made, dice = library(3, 60, has_graph=True), np.random.default_rng(1)
    query = path_query(made, 8, Criteria(variety=Variety(0, keep_copies=True)))
    path = search_of(made).find_path(query)
    start, *inner, end = [made.vectors[neighbour.track_id] for neighbour in path.found.neighbours]
    orders = [[start, *(inner[place] for place in dice.permutation(8)), end] for _ in range(100)]
    rougher = [max(map(angle_between, order, order[1:])) > np.radians(max(path.steps)) for order in orders]
    assert sum(rougher) >= 95
