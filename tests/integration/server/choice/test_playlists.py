"""Playlists by RPC: those of a plain oracle, and requests that are refused."""

from __future__ import annotations

import math
from itertools import pairwise, product

import grpc
import numpy as np
import pytest

from segue.core.catalogue.records import Vector
from segue.core.model.artifact import Manifest
from segue.v1.audio_pb2 import Audio
from segue.v1.recommendation_service_pb2 import (
    ContinueRequest,
    ContinueResponse,
    Embedding,
    FindPathRequest,
    FindPathResponse,
    Seed,
    TrackExclusion,
    TrackFilter,
    Variety,
)
from tests.helpers.catalogue.tracks import track_id
from tests.helpers.clips import wav
from tests.helpers.server.invented_catalogue import ALL, TRACKS, ids, vector
from tests.helpers.server.stubs import Stubs, failure

ITEMS = [Seed(track_id=track_id(number)) for number in (4, 9, 14)]
START, END = Seed(track_id=track_id(1)), Seed(track_id=track_id(2))


def continued(stubs: Stubs, **fields: object) -> ContinueResponse:
    """Continues a list of three tracks."""
    return stubs.continue_list(ContinueRequest(**{"items": ITEMS, **fields}))  # type: ignore[arg-type] # its fields


def path(stubs: Stubs, **fields: object) -> FindPathResponse:
    """Finds a path between two tracks."""
    return stubs.find_path(FindPathRequest(**{"start": START, "end": END, **fields}))  # type: ignore[arg-type] # likewise


def unit(values: Vector) -> Vector:
    """Returns a vector of length 1 in the same direction."""
    return values / np.linalg.norm(values)


def test_continue(stubs: Stubs, width: int, manifest: Manifest) -> None:
    """Each track is the most similar one to the list before it, whose items count half after two further ones."""
    items = [Seed(track_id=track_id(4), weight=3), *ITEMS[1:]]
    response = stubs.continue_list(ContinueRequest(items=items, half_life=2, limit=20, variety=ALL))
    played, weights = [4, 9, 14], [3.0, 1.0, 1.0]
    similarities = []
    for _ in range(20):
        ages = np.arange(len(played))[::-1]
        target = unit(
            sum(w * 2 ** (-age / 2) * vector(n, width) for w, age, n in zip(weights, ages, played, strict=True))
        )
        rest = [number for number in range(TRACKS) if number not in played]
        played.append(max(rest, key=lambda number: float(vector(number, width) @ target)))
        similarities.append(float(vector(played[-1], width) @ target))
        weights.append(1.0)
    assert [track_id(number) for number in played[3:]] == ids(list(response.tracks))
    np.testing.assert_allclose(similarities, [item.similarity for item in response.tracks], atol=1e-5)
    assert (manifest.model_id, False) == (response.revision.model_id, response.limited)


def test_find_path(stubs: Stubs, width: int, manifest: Manifest) -> None:
    """A path is the smoothest one of all choices among the tracks near three points of the way."""
    response = stubs.find_path(FindPathRequest(start=START, end=END, length=5, variety=ALL))
    start, end = vector(1, width), vector(2, width)
    angle = np.arccos(start @ end)
    points = [np.sin((1 - f) * angle) * start + np.sin(f * angle) * end for f in (0.25, 0.5, 0.75)]
    layers: list[list[int]] = [[] for _ in points]
    for _ in range(8):
        for point, layer in zip(points, layers, strict=True):
            rest = set(range(TRACKS)) - {1, 2}.union(*layers)
            layer.append(max(rest, key=lambda number: float(vector(number, width) @ point)))
    vectors = np.stack([vector(number, width) for number in range(TRACKS)])
    angles = np.arccos((vectors @ vectors.T).clip(-1, 1))
    expected = min(
        ([1, *choice, 2] for choice in product(*layers)),
        key=lambda way: sum(angles[one, other] ** 2 for one, other in pairwise(way)),
    )
    assert [track_id(number) for number in expected] == ids(list(response.tracks))
    steps = [angles[one, other] for one, other in pairwise(expected)]
    np.testing.assert_allclose([1, *np.cos(steps)], [item.similarity for item in response.tracks], atol=1e-5)
    smoothness = response.greatest_step, response.mean_step
    np.testing.assert_allclose(np.degrees([max(steps), np.mean(steps)]), smoothness, atol=1e-3)
    assert manifest.model_id == response.revision.model_id


def test_default_lengths(stubs: Stubs) -> None:
    """Without a length, both have 25 tracks, at most two by an artist, and no artist twice in a row."""
    for tracks in (continued(stubs).tracks, path(stubs).tracks):
        artists = [item.track.artist for item in tracks]
        assert (25, 25) == (len(artists), len(set(ids(list(tracks)))))
        assert artists.count("Björk") <= 2
        assert not any(one == other for one, other in pairwise(artists))


def test_kinds_of_items_and_ends(stubs: Stubs, manifest: Manifest, width: int) -> None:
    """Clips, embeddings, genres and tags are items and ends; as ends, they are not a part of the path."""
    sent = Seed(embedding=Embedding(values=vector(7, width)))
    kinds = [Seed(audio=Audio(content=wav(6))), sent, Seed(genre=manifest.labels[0]), Seed(tag="tag 1")]
    assert 10 == len(stubs.continue_list(ContinueRequest(items=kinds, limit=10)).tracks)
    for kind in kinds:
        tracks = ids(list(path(stubs, start=kind, length=5).tracks))
        assert (5, track_id(2)) == (len(tracks), tracks[-1])
    neither = path(stubs, start=sent, end=Seed(genre=manifest.labels[0]), length=5)
    assert 5 == len(neither.tracks)


def test_a_filter(stubs: Stubs) -> None:
    """The tracks meet the filter, apart from the ends."""
    wanted = TrackFilter(folders=["/music/a"])
    tracks = path(stubs, start=Seed(track_id=track_id(0)), length=8, filter=wanted).tracks
    assert [False, *[True] * 7] == [item.track.path.startswith("/music/a/") for item in tracks]
    assert all(item.track.path.startswith("/music/a/") for item in continued(stubs, filter=wanted).tracks)


def test_filters_that_contradict(stubs: Stubs) -> None:
    """A filter that leaves no track gives an empty playlist, which names the condition."""
    wanted = TrackFilter(artists=["Björk"], exclude=TrackExclusion(artists=["Björk"]))
    for response in (continued(stubs, filter=wanted), path(stubs, filter=wanted)):
        assert ([], "filter.exclude.artists") == (list(response.tracks), response.emptied_by)


def test_limits(stubs: Stubs) -> None:
    """A playlist that limits make shorter says so; one that is long enough does not."""
    one_artist = {"filter": TrackFilter(artists=["Björk"]), "variety": Variety(max_per_artist=3)}
    assert (3, True) == (len((response := continued(stubs, **one_artist)).tracks), response.limited)
    assert (5, True) == (len((found := path(stubs, **one_artist)).tracks), found.limited)
    assert not continued(stubs, limit=3, **one_artist).limited


SAME = {"start": Seed(track_id=track_id(1)), "end": Seed(track_id=track_id(1))}


@pytest.mark.parametrize(
    ("fields", "field", "message"),
    [
        ({"items": []}, "items", "no items"),
        ({"items": ITEMS * 34}, "items", "102 items; send at most 100"),
        ({"items": [Seed()]}, r"items[0]", "no source"),
        ({"items": [Seed(track_id=track_id(1), weight=0)]}, "items[0].weight", "is 0"),
        ({"items": [Seed(track_id=track_id(1), weight=-1)]}, "items", "negative"),
        ({"items": [Seed(genre="polka")]}, "items[0].genre", "polka"),
        ({"items": [Seed(track_id=track_id(1)), Seed(audio=Audio())]}, "items[1].audio.content", "is empty"),
        ({"limit": 0}, "limit", "use 1 to 100"),
        ({"limit": 101}, "limit", "is 101"),
        ({"half_life": 0}, "half_life", "use 0.1 to 1000 items"),
        ({"half_life": math.nan}, "half_life", "is nan"),
        ({"variety": Variety(shuffle_seed=1)}, "variety.shuffle_seed", "order of its own"),
        ({"filter": TrackFilter(genres=["polka"])}, "filter.genres", "polka"),
        ({"length": 2}, "length", "use 3 to 100"),
        ({"length": 101}, "length", "is 101"),
        ({"start": Seed()}, "start", "start has no source"),
        ({"end": Seed(genre="polka")}, "end.genre", "polka"),
        ({"start": Seed(audio=Audio())}, "start.audio.content", "is empty"),
        (SAME, "end", "same recording"),
        ({"start": Seed(tag="tag 0"), "end": Seed(tag="TAG 0")}, "end", "sound exactly the same"),
        ({"variety": Variety(diversity=0.5), "length": 3}, "variety.diversity", "leave it out"),
        ({"variety": Variety(shuffle_seed=1), "length": 3}, "variety.shuffle_seed", "order of its own"),
    ],
)
def test_malformed_requests(stubs: Stubs, fields: dict[str, object], field: str, message: str) -> None:
    """A value out of its range, or a path from a track to itself, is an error that names its field."""
    is_path = {"length", "start", "end"} & fields.keys()
    with pytest.raises(grpc.RpcError, match=message) as error:
        (path if is_path else continued)(stubs, **fields)
    code, reason, details = failure(error)
    assert ("INVALID_ARGUMENT", "MALFORMED_REQUEST") == (code, reason)
    (violation,) = details["BadRequest"].field_violations  # type: ignore[attr-defined] # a BadRequest
    assert field == violation.field


def test_opposite_ends(stubs: Stubs, width: int) -> None:
    """A path to the opposite of its start is refused, since every way is as long."""
    start, end = (Seed(embedding=Embedding(values=sign * vector(7, width))) for sign in (1, -1))
    with pytest.raises(grpc.RpcError, match="exactly opposite"):
        path(stubs, start=start, end=end)


def test_unknown_tracks(stubs: Stubs) -> None:
    """Every unknown track is named."""
    unknown = [track_id(number) for number in (900, 901)]
    for call in (
        lambda: continued(stubs, items=[*ITEMS, *(Seed(track_id=key) for key in unknown)]),
        lambda: path(stubs, start=Seed(track_id=unknown[0]), end=Seed(track_id=unknown[1])),
    ):
        with pytest.raises(grpc.RpcError, match=f"no tracks '{unknown[0]}, {unknown[1]}'") as error:
            call()
        assert ("NOT_FOUND", "TRACK_NOT_FOUND") == failure(error)[:2]
