"""Seeds, filters and variety of recommendations, over a catalogue of invented tracks."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import grpc
import numpy as np
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask

from segue.core.catalogue.records import Addition, PathRecord, Track, Vector
from segue.core.model.trained_model import Model
from segue.core.redis_catalogue.open import open_store
from segue.v1.audio_pb2 import Audio
from segue.v1.recommendation_service_pb2 import (
    Embedding,
    Recommendation,
    RecommendRequest,
    RecommendResponse,
    RecommendUploadConfig,
    RecommendUploadRequest,
    Seed,
    TrackExclusion,
    TrackFilter,
    Variety,
)
from tests.helpers.catalogue.tracks import track_id
from tests.helpers.clips import wav
from tests.helpers.machine.waiting import wait_until
from tests.helpers.server.servers import running_server
from tests.helpers.server.stubs import Stubs, failure, is_started

TRACKS = 60
ALL = Variety(max_per_artist=0)


def vector(number: int, width: int) -> Vector:
    """A direction of its own for each number."""
    values = np.random.default_rng(number).standard_normal(width).astype(np.float32)
    unit: Vector = values / np.linalg.norm(values)
    return unit


def track(number: int, labels: tuple[str, ...]) -> Track:
    """An invented track; every third one is by the same artist."""
    artist = "Björk" if number % 3 == 0 else f"Artist {number}"
    return Track(
        track_id(number),
        title=f"Song {number}",
        artist=artist,
        artists=(artist, "Guest") if number % 10 == 1 else (),
        album="Debut" if number % 6 == 0 else "",
        genre=labels[number % 2],
        year="" if number % 7 == 0 else str(1950 + number),
        seconds=60.0 + number,
        path=f"/music/{'a' if number % 4 else 'ab'}/{number}.flac",
    )


@pytest.fixture(scope="module")
def labels(loaded_tiny_model: Model) -> tuple[str, ...]:
    """The genres of the model."""
    return loaded_tiny_model.manifest.labels


@pytest.fixture(scope="module")
def width(loaded_tiny_model: Model) -> int:
    """The width of the model's embeddings."""
    return loaded_tiny_model.manifest.embedding_width


@pytest.fixture(scope="module")
def tracks(labels: tuple[str, ...]) -> dict[str, Track]:
    """The tracks of the catalogue, by id."""
    return {track_id(number): track(number, labels) for number in range(TRACKS)}


@pytest.fixture(scope="module")
def stubs(
    tmp_path_factory: pytest.TempPathFactory, tiny_model: Path, loaded_tiny_model: Model, tracks: dict[str, Track]
) -> Iterator[Stubs]:
    """Calls to a server that has read the properties of all tracks."""
    data = tmp_path_factory.mktemp("choice")
    key = loaded_tiny_model.manifest.key
    additions = [
        Addition(known, vector(number, key.width), PathRecord(known.path, 1, 1, known.track_id))
        for number, known in enumerate(tracks.values())
    ]
    with open_store(data) as store, store.writer(*key) as writer:
        writer.add(additions)
    with running_server("--data", str(data), "--model", str(tiny_model)) as running:
        stubs = Stubs(running.address)
        wait_until(lambda: is_started(lambda: recommended(stubs, filter=TrackFilter(min_year=1))))
        yield stubs


def respond(stubs: Stubs, **fields: object) -> RecommendResponse:
    """Sends a request; without a seed, that of the first track."""
    if "seeds" not in fields and "audio" not in fields:
        fields = {"track_id": track_id(0), **fields}
    return stubs.send_recommend(RecommendRequest(**{"limit": 100, **fields}))  # type: ignore[arg-type] # its fields


def recommended(stubs: Stubs, **fields: object) -> list[Recommendation]:
    """The recommendations of a request."""
    return list(respond(stubs, **fields).recommendations)


def ids(found: list[Recommendation]) -> list[str]:
    """Their ids."""
    return [item.track.track_id for item in found]


def test_two_tracks_by_one_artist(stubs: Stubs) -> None:
    """By default at most two tracks by one artist are recommended; 0 lifts the limit."""
    artists = Counter(item.track.artist for item in recommended(stubs))
    assert (2, {1}) == (artists.pop("Björk"), set(artists.values()))
    assert TRACKS - 1 == len(recommended(stubs, variety=ALL))
    albums = Counter(
        item.track.album for item in recommended(stubs, variety=Variety(max_per_artist=0, max_per_album=3))
    )
    assert 3 == albums["Debut"]


def test_limits_and_named_artists(stubs: Stubs) -> None:
    """A filter that names artists, albums or tracks lifts the limit; the response says if a limit left out others."""
    by_artist = respond(stubs, filter=TrackFilter(artists=["Björk"]))
    assert (19, False) == (len(by_artist.recommendations), by_artist.limited)
    two = respond(stubs, filter=TrackFilter(artists=["Björk"]), variety=Variety(max_per_artist=2))
    assert (2, True) == (len(two.recommendations), two.limited)
    assert not respond(stubs, limit=10).limited
    assert respond(stubs, read_mask=FieldMask(paths=["recommendations"])).limited


def test_a_shuffled_list(stubs: Stubs) -> None:
    """The same number gives the same order of the same tracks, also of a part of them; other numbers give others."""
    plain, zero = (ids(recommended(stubs, limit=20, variety=Variety(shuffle_seed=seed))) for seed in (None, 0))
    assert (sorted(plain), True) == (sorted(zero), plain != zero)
    assert zero == ids(recommended(stubs, limit=20, variety=Variety(shuffle_seed=0)))
    assert zero != ids(recommended(stubs, limit=20, variety=Variety(shuffle_seed=-(2**63))))
    half = ids(recommended(stubs, limit=10, variety=Variety(shuffle_seed=0)))
    assert half == [track_id for track_id in zero if track_id in plain[:10]]


def test_pages_with_limits(stubs: Stubs) -> None:
    """The pages of a seed together are all recommendations, each once."""
    pages = [ids(recommended(stubs, limit=7, offset=offset)) for offset in range(0, 49, 7)]
    assert ids(recommended(stubs)) == [*chain(*pages)]


@pytest.mark.parametrize(
    ("wanted", "is_met"),
    [
        (TrackFilter(artists=["BJORK"]), lambda t: t.artist == "Björk"),
        (TrackFilter(artists=["guest"]), lambda t: "Guest" in t.artists),
        (TrackFilter(albums=["debut"]), lambda t: t.album == "Debut"),
        (TrackFilter(min_year=1960, max_year=1970), lambda t: t.year and 1960 <= int(t.year) <= 1970),
        (TrackFilter(min_duration=Duration(seconds=100)), lambda t: t.seconds >= 100),
        (TrackFilter(max_duration=Duration(seconds=70)), lambda t: t.seconds <= 70),
        (TrackFilter(folders=["/music/a"]), lambda t: t.path.startswith("/music/a/")),
        (TrackFilter(folders=["/music/"]), lambda _: True),
        (
            TrackFilter(track_ids=[track_id(5), track_id(9), track_id(0)]),
            lambda t: t.track_id in (track_id(5), track_id(9)),
        ),
        (TrackFilter(exclude=TrackExclusion(artists=["Björk"])), lambda t: t.artist != "Björk"),
        (TrackFilter(exclude=TrackExclusion(folders=["/music/ab"])), lambda t: not t.path.startswith("/music/ab/")),
        (TrackFilter(exclude=TrackExclusion(track_ids=[track_id(5)])), lambda t: t.track_id != track_id(5)),
    ],
)
def test_filters(stubs: Stubs, tracks: dict[str, Track], wanted: TrackFilter, is_met: object) -> None:
    """A filter leaves exactly the tracks that meet it, in the order without it."""
    assert callable(is_met)
    expected = [key for key in ids(recommended(stubs, variety=ALL)) if is_met(tracks[key])]
    assert expected
    assert expected == ids(recommended(stubs, variety=ALL, filter=wanted))


def test_genre_and_similarity(stubs: Stubs, labels: tuple[str, ...]) -> None:
    """Predicted genres and similarities are conditions as well."""
    everything = recommended(stubs, variety=ALL)
    jazz = recommended(stubs, variety=ALL, filter=TrackFilter(genres=[labels[1]]))
    assert [item for item in everything if item.track.genre == labels[1]] == jazz
    middle = everything[20].similarity
    assert everything[:21] == recommended(stubs, variety=ALL, filter=TrackFilter(min_similarity=middle))


def test_a_filter_that_leaves_no_track(stubs: Stubs) -> None:
    """The response is empty and names the condition, also if read_mask has no such field."""
    wanted = TrackFilter(artists=["Björk"], exclude=TrackExclusion(artists=["Björk"]))
    response = respond(stubs, filter=wanted, read_mask=FieldMask(paths=["recommendations"]))
    assert ([], "filter.exclude.artists") == (list(response.recommendations), response.emptied_by)
    assert "filter.max_year" == respond(stubs, filter=TrackFilter(min_year=1990, max_year=1980)).emptied_by
    assert "" == respond(stubs).emptied_by


def test_several_seeds(stubs: Stubs, width: int) -> None:
    """Tracks are compared with the weighted sum of the seeds, and no seed is recommended."""
    seeds = [Seed(track_id=track_id(1)), Seed(track_id=track_id(2), weight=2), Seed(track_id=track_id(4), weight=-0.5)]
    expected = vector(1, width) + 2 * vector(2, width) - vector(4, width) / 2
    response = respond(stubs, seeds=seeds, variety=ALL, read_mask=FieldMask(paths=["*"]))
    np.testing.assert_allclose(response.embedding, expected / np.linalg.norm(expected), atol=1e-6)
    found = ids(list(response.recommendations))
    assert TRACKS - 3 == len(found)
    assert {track_id(number) for number in (1, 2, 4)}.isdisjoint(found)
    order = sorted(range(TRACKS), key=lambda number: -float(vector(number, width) @ expected))
    assert [track_id(number) for number in order if number not in (1, 2, 4)] == found


def test_kinds_of_seeds(stubs: Stubs, width: int, labels: tuple[str, ...], loaded_tiny_model: Model) -> None:
    """An embedding, a genre and a clip can be seeds."""
    model_id = loaded_tiny_model.manifest.model_id
    sent = Embedding(values=3 * vector(7, width), model_id=model_id)
    assert track_id(7) == ids(recommended(stubs, seeds=[Seed(embedding=sent)]))[0]
    mean = np.mean([vector(number, width) for number in range(TRACKS) if number % 2 == 0], axis=0)
    response = respond(stubs, seeds=[Seed(genre=labels[0])], read_mask=FieldMask(paths=["embedding"]))
    np.testing.assert_allclose(response.embedding, mean / np.linalg.norm(mean), atol=1e-6)
    clip = Audio(content=wav(6))
    alone = respond(stubs, audio=clip, read_mask=FieldMask(paths=["embedding"])).embedding
    response = respond(stubs, seeds=[Seed(audio=clip, weight=1e-5)], read_mask=FieldMask(paths=["embedding"]))
    np.testing.assert_allclose(response.embedding, alone, atol=1e-6)


def test_diversity(stubs: Stubs) -> None:
    """With diversity, the first track is the most similar one, and the others are less like each other."""
    plain, diverse = (recommended(stubs, limit=10, variety=Variety(diversity=value)) for value in (0, 0.7))
    assert plain[0] == diverse[0]
    assert ids(plain) != ids(diverse)
    page = recommended(stubs, limit=5, offset=5, variety=Variety(diversity=0.7))
    assert ids(diverse)[5:] == ids(page)


@pytest.mark.parametrize(
    ("request_fields", "field"),
    [
        ({"seeds": [Seed()]}, "seeds[0]"),
        ({"seeds": [Seed(track_id=track_id(1))] * 101}, "seeds"),
        ({"seeds": [Seed(track_id=track_id(1), weight=math.nan)]}, "seeds[0].weight"),
        ({"seeds": [Seed(track_id=track_id(1), weight=math.inf)]}, "seeds[0].weight"),
        ({"seeds": [Seed(track_id=track_id(1), weight=0)]}, "seeds[0].weight"),
        ({"seeds": [Seed(track_id=track_id(1), weight=-1)]}, "seeds"),
        ({"seeds": [Seed(track_id=track_id(1)), Seed(track_id=track_id(1), weight=-1)]}, "seeds"),
        ({"seeds": [Seed(track_id=track_id(1))], "track_id": track_id(2)}, "seeds"),
        ({"seeds": [Seed(genre="polka")]}, "seeds[0].genre"),
        ({"seeds": [Seed(embedding=Embedding(values=[1.0]))]}, "seeds[0].embedding.values"),
        ({"seeds": [Seed(embedding=Embedding(values=[1.0], model_id="other"))]}, "seeds[0].embedding.model_id"),
        ({"seeds": [Seed(track_id=track_id(1)), Seed(audio=Audio())]}, "seeds[1].audio.content"),
        ({"filter": TrackFilter(genres=["polka"])}, "filter.genres"),
        ({"filter": TrackFilter(artists=[""])}, "filter.artists"),
        ({"filter": TrackFilter(track_ids=["a"] * 1_001)}, "filter.track_ids"),
        ({"filter": TrackFilter(artists=["a" * 5_000])}, "filter.artists"),
        ({"seeds": [Seed(track_id="")]}, "seeds[0]"),
        ({"filter": TrackFilter(min_year=0)}, "filter.min_year"),
        ({"filter": TrackFilter(max_year=10_000)}, "filter.max_year"),
        ({"filter": TrackFilter(min_similarity=math.nan)}, "filter.min_similarity"),
        ({"filter": TrackFilter(max_duration=Duration(seconds=-1))}, "filter.max_duration"),
        ({"filter": TrackFilter(exclude=TrackExclusion(genres=["polka"]))}, "filter.exclude.genres"),
        ({"variety": Variety(max_per_artist=-1)}, "variety.max_per_artist"),
        ({"variety": Variety(max_per_album=101)}, "variety.max_per_album"),
        ({"variety": Variety(diversity=1.0)}, "variety.diversity"),
        ({"variety": Variety(diversity=math.nan)}, "variety.diversity"),
        ({"variety": Variety(diversity=0.5), "offset": 50}, "offset"),
    ],
)
def test_malformed_requests(stubs: Stubs, request_fields: dict[str, object], field: str) -> None:
    """A value out of its range is an error that names its field."""
    with pytest.raises(grpc.RpcError) as error:
        respond(stubs, **request_fields)
    code, reason, details = failure(error)
    assert ("INVALID_ARGUMENT", "MALFORMED_REQUEST") == (code, reason)
    (violation,) = details["BadRequest"].field_violations  # type: ignore[attr-defined] # a BadRequest
    assert field == violation.field


def test_unknown_seeds(stubs: Stubs) -> None:
    """Every unknown track of a few is named; a clip that cannot be decoded is named by its field."""
    unknown = [track_id(number) for number in (900, 901)]
    with pytest.raises(grpc.RpcError, match=f"no tracks '{unknown[0]}, {unknown[1]}'") as error:
        respond(stubs, seeds=[Seed(track_id=key) for key in (unknown[0], track_id(1), unknown[1])])
    assert ("NOT_FOUND", "TRACK_NOT_FOUND") == failure(error)[:2]
    with pytest.raises(grpc.RpcError) as error:
        respond(stubs, seeds=[Seed(track_id=track_id(1)), Seed(audio=Audio(content=b"no audio"))])
    code, _, details = failure(error)
    (violation,) = details["BadRequest"].field_violations  # type: ignore[attr-defined] # a BadRequest
    assert ("INVALID_ARGUMENT", "seeds[1].audio.content") == (code, violation.field)


def test_seeds_of_an_upload(stubs: Stubs) -> None:
    """An upload is the only seed of its request."""
    request = RecommendRequest(seeds=[Seed(track_id=track_id(1))])
    with pytest.raises(grpc.RpcError, match="has a seed"):
        stubs.recommend_upload([RecommendUploadRequest(config=RecommendUploadConfig(request=request))])
