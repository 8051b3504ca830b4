"""Seeds of recommendations, and requests that are refused."""

from __future__ import annotations

import math

import grpc
import numpy as np
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask

from segue.core.catalogue.records import Track
from segue.core.model.artifact import Manifest
from segue.v1.audio_pb2 import Audio
from segue.v1.recommendation_service_pb2 import (
    Embedding,
    RecommendRequest,
    RecommendUploadConfig,
    RecommendUploadRequest,
    Seed,
    TrackExclusion,
    TrackFilter,
    Variety,
)
from tests.helpers.catalogue.tracks import track_id
from tests.helpers.clips import wav
from tests.helpers.server.invented_catalogue import ALL, TRACKS, ids, recommended, respond, tags_of, vector
from tests.helpers.server.stubs import Stubs, failure


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


def test_reasons(stubs: Stubs, width: int, tracks: dict[str, Track], manifest: Manifest) -> None:
    """Each track has the seed with the greatest product of weight and similarity, and what both have in common."""
    seeds = [Seed(track_id=track_id(3)), Seed(track_id=track_id(8), weight=2), Seed(track_id=track_id(4), weight=-3)]
    response = respond(stubs, seeds=seeds, limit=30, variety=ALL, read_mask=FieldMask(paths=["*"]))
    assert 30 == len(response.reasons) == len(response.recommendations)
    for item, reason in zip(response.recommendations, response.reasons, strict=True):
        number = int(item.track.track_id, 16)
        cosines = [float(vector(number, width) @ vector(seed, width)) for seed in (3, 8)]
        assert int(2 * cosines[1] > cosines[0]) == reason.seed
        assert pytest.approx(cosines[reason.seed], abs=1e-6) == reason.similarity
        seed, own = tracks[seeds[reason.seed].track_id], tracks[item.track.track_id]
        assert (seed.genre if seed.genre == own.genre else "") == reason.genre
        assert [tag for tag in manifest.tags[:2] if {tag} <= tags_of(seed) & tags_of(own)] == list(reason.tags)
    assert not respond(stubs, seeds=seeds).reasons


def test_reasons_of_named_seeds_and_clips(stubs: Stubs, manifest: Manifest) -> None:
    """A genre and a tag are in common with the tracks that have them, a clip by its prediction, an embedding never."""
    mask = FieldMask(paths=["recommendations", "reasons"])
    named = [Seed(genre=manifest.labels[1].upper()), Seed(tag="tag 1", weight=0.01)]
    response = respond(stubs, seeds=named, read_mask=mask)
    assert {0: manifest.labels[1]} == {reason.seed: reason.genre for reason in response.reasons if reason.genre}
    response = respond(stubs, seeds=named[1:], read_mask=mask)
    assert {("tag 1",)} == {tuple(reason.tags) for reason in response.reasons if reason.tags}
    clip = stubs.classify(wav(6), read_mask=["*"])
    response = respond(stubs, audio=Audio(content=wav(6)), read_mask=mask)
    assert {reason.genre for reason in response.reasons} <= {clip.scores[0].genre, ""}
    sent = Seed(embedding=Embedding(values=vector(7, manifest.embedding_width)))
    response = respond(stubs, seeds=[sent], read_mask=mask)
    assert {("", ())} == {(reason.genre, tuple(reason.tags)) for reason in response.reasons}


def test_kinds_of_seeds(stubs: Stubs, width: int, manifest: Manifest) -> None:
    """An embedding, a genre, a tag and a clip can be seeds."""
    sent = Embedding(values=3 * vector(7, width), model_id=manifest.model_id)
    assert track_id(7) == ids(recommended(stubs, seeds=[Seed(embedding=sent)]))[0]
    for named, every in ((Seed(genre=manifest.labels[0]), 2), (Seed(tag=manifest.tags[1]), 3)):
        mean = np.mean([vector(number, width) for number in range(0, TRACKS, every)], axis=0)
        response = respond(stubs, seeds=[named], read_mask=FieldMask(paths=["embedding"]))
        np.testing.assert_allclose(response.embedding, mean / np.linalg.norm(mean), atol=1e-6)
    clip = Audio(content=wav(6))
    alone = respond(stubs, audio=clip, read_mask=FieldMask(paths=["embedding"])).embedding
    response = respond(stubs, seeds=[Seed(audio=clip, weight=1e-5)], read_mask=FieldMask(paths=["embedding"]))
    np.testing.assert_allclose(response.embedding, alone, atol=1e-6)


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
        ({"filter": TrackFilter(tags=["tag 99"])}, "filter.tags"),
        ({"filter": TrackFilter(exclude=TrackExclusion(tags=["tag 99"]))}, "filter.exclude.tags"),
        ({"seeds": [Seed(tag="tag 99")]}, "seeds[0].tag"),
        ({"seeds": [Seed(tag="tag 5")]}, "seeds[0].tag"),
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
