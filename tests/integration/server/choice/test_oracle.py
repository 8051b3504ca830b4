"""Recommend by RPC gives what a plain loop over all tracks chooses, in one random catalogue after the other."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import grpc
import numpy as np
import pytest
from google.protobuf.duration_pb2 import Duration
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from segue.core.catalogue.records import Addition, OwnMetadata, PathRecord, Track
from segue.core.catalogue.store import all_track_ids
from segue.core.index.publishing import publish
from segue.core.index.vector_index import Neighbour
from segue.core.model.artifact import read_manifest, write_manifest
from segue.core.redis_catalogue.open import open_store
from segue.core.redis_catalogue.store import RedisStore
from segue.core.selection import attributes, criteria
from segue.core.selection.track_query import TrackQuery
from segue.v1.recommendation_service_pb2 import (
    AttributeCondition,
    RecommendRequest,
    TrackExclusion,
    TrackFilter,
    Variety,
)
from tests.helpers.catalogue.tracks import fingerprint
from tests.helpers.machine.waiting import wait_until
from tests.helpers.server.invented_criteria import filters, varieties
from tests.helpers.server.invented_library import TAGS, Library, library, oracle
from tests.helpers.server.servers import running_server
from tests.helpers.server.stubs import Stubs, reason_of


class Served(NamedTuple):
    """A server, and its catalogue.

    Attributes:
        stubs: calls to the server.
        data: its data folder.
        store: the catalogue.
        model: the folder of its model.
    """

    stubs: Stubs
    data: Path
    store: RedisStore
    model: Path

    def replace(self, made: Library, number: int) -> None:
        """Replaces all tracks, and waits until the server has read the new ones, whose attribute has this number."""
        key = read_manifest(self.model).key
        with self.store.writer(*key) as writer:
            writer.remove(list(all_track_ids(self.store)))
            writer.add([addition(made, track_id, number, key.width) for track_id in made.facts])
            publish(self.data, self.store)
            revision = self.store.revision()
        wait_until(lambda: revision == self.stubs.status().revision.catalogue_revision)
        wait_until(lambda: self._knows(made, number))
        wait_until(lambda: self._knows_copies(made))

    def _knows(self, made: Library, number: int) -> bool:
        """Returns whether the server knows all tracks of a library by its number."""
        try:
            return len(made.facts) == self._numbered(number, next(iter(made.facts)))
        except grpc.RpcError as error:
            if reason_of(error) != "STARTING":
                raise
            return False

    def _knows_copies(self, made: Library) -> bool:
        """Returns whether the server has the groups of copies, which it gets later: with the index."""
        seed, embedding = next(iter(made.vectors.items()))
        without_limits = criteria.Criteria(variety=criteria.Variety(per_artist=0))
        expected = oracle(made, TrackQuery(embedding, len(made.facts), frozenset({seed}), without_limits))
        request = RecommendRequest(track_id=seed, limit=100, variety=Variety(max_per_artist=0))
        found = self.stubs.send_recommend(request).recommendations
        return [neighbour.track_id for neighbour in expected] == [each.track.track_id for each in found]

    def _numbered(self, number: int, seed: str) -> int:
        """Returns the number of tracks that the server knows by the number of their catalogue, the seed included."""
        condition = AttributeCondition(name="catalogue", min=number, max=number)
        everything = Variety(max_per_artist=0, keep_copies=True)
        numbered = TrackFilter(attributes=[condition])
        request = RecommendRequest(track_id=seed, limit=100, variety=everything, filter=numbered)
        return 1 + len(self.stubs.send_recommend(request).recommendations)


def with_near_copies(made: Library) -> Library:
    """Returns the library with one embedding for all copies of a recording, since copies are looked for among these."""
    first: dict[str, str] = {}
    for track_id in made.vectors:
        first.setdefault(made.copies.get(track_id, track_id), track_id)
    same = {track_id: first[made.copies.get(track_id, track_id)] for track_id in made.vectors}
    return replace(made, vectors={track_id: made.vectors[same[track_id]] for track_id in made.vectors})


def addition(made: Library, track_id: str, number: int, width: int) -> Addition:
    """Returns a track of a library, ready to be added; its copies have the same fingerprint."""
    facts = made.facts[track_id]
    group = made.copies.get(track_id, track_id)
    own = OwnMetadata(attributes={**facts.attributes, "catalogue": float(number)})
    track = Track(
        track_id,
        facts.title,
        artist=facts.artist,
        artists=facts.artists,
        album=facts.album,
        genre=facts.genre,
        year=facts.year,
        seconds=facts.seconds,
        path=facts.path,
        tag_scores=facts.tag_scores,
        fingerprint=fingerprint(int(group, 16)).to_text(),
    )
    vector = np.zeros(width, np.float32)
    vector[: len(made.vectors[track_id])] = made.vectors[track_id]
    return Addition(track, vector, PathRecord(facts.path, 1, 1, track_id, own=own))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, tagging_model: Path) -> Iterator[Served]:
    """A server over an empty catalogue, with a model that has the tags of the libraries."""
    data = tmp_path_factory.mktemp("oracle")
    write_manifest(tagging_model, replace(read_manifest(tagging_model), tags=TAGS))
    with (
        open_store(data) as store,
        running_server("--data", str(data), "--model", str(tagging_model)) as running,
    ):
        yield Served(Stubs(running.address), data, store, tagging_model)


def condition_message(condition: attributes.AttributeCondition) -> AttributeCondition:
    """Returns a condition on an attribute as a message."""
    message = AttributeCondition(name=condition.name, values=sorted(condition.values), is_true=condition.is_true)
    if not condition.values and condition.is_true is None:  # any number, if there is no bound
        message.min = max(condition.least, -sys.float_info.max)
        message.max = min(condition.greatest, sys.float_info.max)
    return message


def exclusion_message(wanted: criteria.Exclusion) -> TrackExclusion:
    """Returns the conditions of a filter that leave out tracks as a message."""
    return TrackExclusion(
        genres=sorted(wanted.genres),
        artists=sorted(wanted.artists),
        albums=sorted(wanted.albums),
        folders=sorted(wanted.folders),
        track_ids=sorted(wanted.track_ids),
        tags=sorted(wanted.tags),
        attributes=map(condition_message, wanted.attributes),
    )


def filter_message(wanted: criteria.TrackFilter) -> TrackFilter:
    """Returns a filter as a message."""
    return TrackFilter(
        genres=sorted(wanted.genres),
        artists=sorted(wanted.artists),
        albums=sorted(wanted.albums),
        folders=sorted(wanted.folders),
        track_ids=sorted(wanted.track_ids),
        tags=sorted(wanted.tags),
        attributes=map(condition_message, wanted.attributes),
        min_year=wanted.min_year,
        max_year=wanted.max_year,
        min_duration=seconds(wanted.min_seconds),
        max_duration=None if wanted.max_seconds is None else seconds(wanted.max_seconds),
        min_similarity=wanted.min_similarity,
        exclude=None if wanted.exclude is None else exclusion_message(wanted.exclude),
    )


def seconds(value: float) -> Duration:
    """Returns a duration."""
    duration = Duration()
    duration.FromMilliseconds(round(1_000 * value))
    return duration


def variety_message(variety: criteria.Variety) -> Variety:
    """Returns how much tracks differ as a message."""
    return Variety(
        max_per_artist=variety.per_artist,
        max_per_album=variety.per_album,
        diversity=variety.diversity,
        keep_copies=variety.keep_copies,
    )


def is_cut(
    neighbour: Neighbour,
    expected: list[Neighbour],
    wanted: criteria.TrackFilter | None,
    variety: criteria.Variety,
) -> bool:
    """Returns whether a graph may find another track instead: it has the last similarity, and nothing limits tracks."""
    is_plain = wanted is None and not variety.diversity and not variety.is_limited
    return is_plain and neighbour.similarity == expected[-1].similarity


@pytest.mark.timeout(7_200)  # a catalogue takes a second
@pytest.mark.parametrize("count", [8, pytest.param(1_000, marks=pytest.mark.soak)], ids=["some", "many"])
def test_chosen_tracks(served: Served, count: int) -> None:
    """In each of many random catalogues, a random request returns the tracks of the oracle, in its order."""
    catalogues = 0

    @settings(
        max_examples=count,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    @given(st.integers(0, 10_000), st.integers(8, 60), st.integers(1, 20), st.none() | filters, varieties)
    def ask(seed: int, tracks: int, k: int, wanted: criteria.TrackFilter | None, variety: criteria.Variety) -> None:
        nonlocal catalogues
        catalogues += 1
        made = with_near_copies(library(seed, tracks))
        served.replace(made, catalogues)
        track_id, embedding = next(iter(made.vectors.items()))
        query = TrackQuery(embedding, k, frozenset({track_id}), criteria.Criteria(wanted, variety))
        request = RecommendRequest(
            track_id=track_id,
            limit=k,
            filter=None if wanted is None else filter_message(wanted),
            variety=variety_message(variety),
        )
        found = served.stubs.send_recommend(request).recommendations
        expected = oracle(made, query)
        assert [neighbour.similarity for neighbour in expected] == [each.similarity for each in found]
        pairs = zip(expected, found, strict=True)
        assert [] == [
            neighbour
            for neighbour, each in pairs
            if neighbour.track_id != each.track.track_id and not is_cut(neighbour, expected, wanted, variety)
        ]

    ask()
    assert count <= catalogues
