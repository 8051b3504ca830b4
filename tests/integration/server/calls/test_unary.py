from __future__ import annotations

from pathlib import Path

import grpc
import numpy as np
import pytest
import soundfile
from grpc_health.v1 import health_pb2

from segue.core.catalogue.records import Track
from segue.core.model.trained_model import Model
from segue.core.redis_catalogue.open import open_store
from segue.core.testing.synthetic_clips import render_clip
from segue.v1 import (
    catalog_service_pb2,
    catalog_service_pb2_grpc,
    recommendation_service_pb2,
    recommendation_service_pb2_grpc,
)
from segue.v1.audio_pb2 import Audio
from segue.v1.recommendation_service_pb2 import ContinueRequest, FindPathRequest, Seed
from tests.helpers.clips import clip_addition, wav
from tests.helpers.machine.waiting import wait_until
from tests.helpers.server.stubs import Stubs, failure

UNKNOWN = "0" * 32


def test_classify(stubs: Stubs, clips: list[Path]) -> None:
    """A clip has a score for every genre, the best first, with sum 1, and the response names the model."""
    response = stubs.classify(clips[0].read_bytes())
    scores = [score.score for score in response.scores]
    assert 10 == len(scores)
    assert sorted(scores, reverse=True) == scores
    assert pytest.approx(1, abs=1e-5) == sum(scores)
    assert response.revision.model_id.startswith("tiny-")
    assert 20 == response.revision.catalogue_revision


def test_top_k(stubs: Stubs, clips: list[Path]) -> None:
    """A response has top_k genres, but not more than the model has."""
    assert 3 == len(stubs.classify(clips[0].read_bytes(), top_k=3).scores)
    assert 10 == len(stubs.classify(clips[0].read_bytes(), top_k=10_000).scores)


def test_recommend_by_id(stubs: Stubs, ids: list[str]) -> None:
    """The neighbours of a track come nearest first, with their metadata, and without the track itself."""
    recommendations = stubs.recommend(ids[3], limit=5).recommendations
    similarities = [recommendation.similarity for recommendation in recommendations]
    assert 5 == len(recommendations)
    assert sorted(similarities, reverse=True) == similarities
    assert all(recommendation.track.title for recommendation in recommendations)
    assert ids[3] not in {recommendation.track.track_id for recommendation in recommendations}


def test_recommend_by_clip(stubs: Stubs, ids: list[str], clips: list[Path]) -> None:
    """A clip that is in the catalogue is identified by its audio, and is not recommended for itself."""
    by_clip = stubs.recommend(clips[3].read_bytes()).recommendations
    by_id = stubs.recommend(ids[3]).recommendations
    assert 10 == len(by_clip)
    assert [r.track.track_id for r in by_id] == [r.track.track_id for r in by_clip]


def test_a_path_from_a_clip(stubs: Stubs, ids: list[str], clips: list[Path]) -> None:
    """A clip that is in the catalogue is the end of a path as its track is; a list finds none of its own tracks."""
    seeds = [Seed(audio=Audio(content=clips[3].read_bytes())), Seed(track_id=ids[5])]
    path = [
        item.track.track_id for item in stubs.find_path(FindPathRequest(start=seeds[0], end=seeds[1], length=6)).tracks
    ]
    assert (6, ids[3], ids[5]) == (len(set(path)), path[0], path[-1])
    request = FindPathRequest(start=seeds[1], end=Seed(audio=Audio(content=wav(7))), length=6)
    assert ids[5] == stubs.find_path(request).tracks[0].track.track_id
    found = {item.track.track_id for item in stubs.continue_list(ContinueRequest(items=seeds, limit=100)).tracks}
    assert {*ids} - {ids[3], ids[5]} == found


def test_a_limit_above_the_catalogue(stubs: Stubs, ids: list[str]) -> None:
    """A response has at most all tracks without the seed."""
    assert 19 == len(stubs.recommend(ids[0], limit=10_000).recommendations)


def test_get_track(stubs: Stubs, ids: list[str], clips: list[Path]) -> None:
    """A track has the metadata that the indexer wrote."""
    track = stubs.get_track(ids[0]).track
    assert (ids[0], clips[0].stem, str(clips[0])) == (track.track_id, track.title, track.path)
    assert 29 < track.duration.ToMilliseconds() / 1000 < 31


def test_pages(stubs: Stubs, ids: list[str]) -> None:
    """The pages together list every track once, in the order of the ids."""
    listed: list[str] = []
    token = ""
    while True:
        page = stubs.list_tracks(page_size=7, page_token=token)
        listed += [track.track_id for track in page.tracks]
        token = page.next_page_token
        if not token:
            break
    assert sorted(ids) == listed


def test_get_track_by_path(stubs: Stubs, ids: list[str], clips: list[Path]) -> None:
    """A track is found by the path of its file, with the same response as by its id."""
    assert stubs.get_track(ids[0]) == stubs.get_track(path=str(clips[0]))
    with pytest.raises(grpc.RpcError, match=r"no file '/none\.wav'") as error:
        stubs.get_track(path="/none.wav")
    code, reason, details = failure(error)
    assert ("NOT_FOUND", "TRACK_NOT_FOUND") == (code, reason)
    assert "/none.wav" == details["ResourceInfo"].resource_name  # type: ignore[attr-defined] # a ResourceInfo
    with pytest.raises(grpc.RpcError, match="send one of them") as error:
        stubs.get_track(ids[0], path=str(clips[0]))
    assert ("INVALID_ARGUMENT", "MALFORMED_REQUEST") == failure(error)[:2]


def test_batch_get_tracks(stubs: Stubs, ids: list[str]) -> None:
    """Many tracks come in the order of the request, one as often as it is requested; unknown ids are named."""
    response = stubs.batch_get_tracks([ids[3], UNKNOWN, ids[1], ids[3]])
    assert [ids[3], ids[1], ids[3]] == [track.track_id for track in response.tracks]
    assert ([UNKNOWN], 20) == (list(response.missing_track_ids), response.revision.catalogue_revision)
    assert 1_000 == len(stubs.batch_get_tracks([ids[0]] * 1_000).tracks)


@pytest.mark.parametrize("track_ids", [[], [""], [UNKNOWN, ""], [UNKNOWN] * 1_001])
def test_invalid_batches(stubs: Stubs, track_ids: list[str]) -> None:
    """No id, an empty one and too many are errors."""
    with pytest.raises(grpc.RpcError, match="track_ids has") as error:
        stubs.batch_get_tracks(track_ids)
    assert ("INVALID_ARGUMENT", "MALFORMED_REQUEST") == failure(error)[:2]


def test_offset(stubs: Stubs, ids: list[str]) -> None:
    """The pages of a seed together are all recommendations, each once; after the last track comes nothing."""
    every = [r.track.track_id for r in stubs.recommend(ids[3], limit=100).recommendations]
    pages = [stubs.recommend(ids[3], limit=7, offset=offset).recommendations for offset in (0, 7, 14, 21)]
    assert every == [r.track.track_id for page in pages for r in page]
    assert 19 == len(every)


@pytest.mark.parametrize(("offset", "limit"), [(-1, 10), (991, 10), (1_000, 1), (2**31 - 1, 1)])
def test_invalid_offsets(stubs: Stubs, ids: list[str], offset: int, limit: int) -> None:
    """An offset below 0, and one beyond the thousandth track, are errors."""
    with pytest.raises(grpc.RpcError, match="offset is") as error:
        stubs.recommend(ids[0], limit=limit, offset=offset)
    assert ("INVALID_ARGUMENT", "MALFORMED_REQUEST") == failure(error)[:2]
    assert [] == list(stubs.recommend(ids[0], limit=10, offset=990).recommendations)


def test_status(stubs: Stubs) -> None:
    """The status has the size of the catalogue, the genres of the model, and no problem."""
    status = stubs.status()
    assert (20, 10, "") == (status.track_count, len(status.genres), status.catalogue_problem)


def test_health(stubs: Stubs) -> None:
    """Every service and the server as a whole are SERVING; an unknown service is NOT_FOUND."""
    services = (
        "ClassificationService",
        "RecommendationService",
        "PlaylistService",
        "CatalogService",
        "FeedbackService",
    )
    states = {stubs.health(service) for service in ("", *(f"segue.v1.{service}" for service in services))}
    assert {health_pb2.HealthCheckResponse.SERVING} == states
    with pytest.raises(grpc.RpcError, match="NOT_FOUND"):
        stubs.health("segue.v1.NoSuchService")


UNUSABLE_AUDIO = {
    "empty": (b"", "MALFORMED_REQUEST"),
    "text": (b"This is not music. " * 50, "AUDIO_UNDECODABLE"),
    "jpeg": (b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(500), "AUDIO_UNDECODABLE"),
    "truncated": (wav(5)[:100_000], "AUDIO_TOO_SHORT"),
    "half a second": (wav(0.5), "AUDIO_TOO_SHORT"),
    "silence": (wav(5, gain=0), "AUDIO_SILENT"),
    "nan": (wav(5, gain=float("nan")), "AUDIO_UNDECODABLE"),
    "20 MiB": (bytes(20 * 2**20), "AUDIO_TOO_LONG"),
}


@pytest.mark.parametrize("name", UNUSABLE_AUDIO)
@pytest.mark.parametrize("call", ["classify", "recommend"])
def test_unusable_audio(stubs: Stubs, name: str, call: str) -> None:
    """Each kind of unusable audio has its own reason and names the field, and the next call succeeds."""
    content, reason = UNUSABLE_AUDIO[name]
    with pytest.raises(grpc.RpcError) as error:
        getattr(stubs, call)(content)
    code, actual, details = failure(error)
    assert ("INVALID_ARGUMENT", reason) == (code, actual)
    violations = details["BadRequest"].field_violations  # type: ignore[attr-defined] # a BadRequest
    assert ["audio.content"] == [violation.field for violation in violations]
    assert 20 == stubs.status().track_count


def test_a_message_of_40_mib(stubs: Stubs, clips: list[Path]) -> None:
    """GRPC itself rejects a message above its limit, and the next call succeeds."""
    with pytest.raises(grpc.RpcError, match="RESOURCE_EXHAUSTED"):
        stubs.classify(bytes(40 * 2**20))
    assert stubs.classify(clips[0].read_bytes()).scores


@pytest.mark.parametrize("value", [0, -1])
def test_limits_below_one(stubs: Stubs, ids: list[str], clips: list[Path], value: int) -> None:
    """The error for 0 or a negative number names the field."""
    for field, call in (
        ("limit", lambda: stubs.recommend(ids[0], limit=value)),
        ("top_k", lambda: stubs.classify(clips[0].read_bytes(), top_k=value)),
    ):
        with pytest.raises(grpc.RpcError, match=f"{field} is {value}") as error:
            call()
        assert ("INVALID_ARGUMENT", "MALFORMED_REQUEST") == failure(error)[:2]


def test_an_unknown_track(stubs: Stubs) -> None:
    """The error for an unknown id names it."""
    for call in (stubs.get_track, stubs.recommend):
        with pytest.raises(grpc.RpcError) as error:
            call(UNKNOWN)
        code, reason, details = failure(error)
        assert ("NOT_FOUND", "TRACK_NOT_FOUND") == (code, reason)
        assert UNKNOWN == details["ResourceInfo"].resource_name  # type: ignore[attr-defined] # a ResourceInfo


def test_a_very_long_id(stubs: Stubs) -> None:
    """The error for a very long id is not too long for a header."""
    with pytest.raises(grpc.RpcError) as error:
        stubs.get_track("x" * 100_000)
    assert ("NOT_FOUND", "TRACK_NOT_FOUND") == failure(error)[:2]


@pytest.mark.parametrize(("size", "token"), [(-1, ""), (0, "not ours"), (0, "!!!!"), (0, "////"), (0, "AAAA")])
def test_invalid_pages(stubs: Stubs, size: int, token: str) -> None:
    """A negative size and a made-up token are errors."""
    with pytest.raises(grpc.RpcError) as error:
        stubs.list_tracks(size, token)
    assert ("INVALID_ARGUMENT", "MALFORMED_REQUEST") == failure(error)[:2]


def test_missing_values(stubs: Stubs) -> None:
    """The error for a missing seed or a missing id names the value."""
    service = recommendation_service_pb2_grpc.RecommendationServiceStub(stubs.channel)
    with pytest.raises(grpc.RpcError, match="has no seed") as error:
        service.Recommend(recommendation_service_pb2.RecommendRequest(), timeout=60)
    assert ("INVALID_ARGUMENT", "MALFORMED_REQUEST") == failure(error)[:2]
    with pytest.raises(grpc.RpcError, match="track_id is empty"):
        stubs.get_track("")


def test_the_request_id(stubs: Stubs) -> None:
    """The request id of the caller is in the trailing metadata of the response."""
    service = catalog_service_pb2_grpc.CatalogServiceStub(stubs.channel)
    _, call = service.GetStatus.with_call(
        catalog_service_pb2.GetStatusRequest(), metadata=(("x-request-id", "mine-42"),), timeout=60
    )
    assert ("x-request-id", "mine-42") in call.trailing_metadata()


def test_a_new_track(stubs: Stubs, data: Path, ids: list[str], loaded_tiny_model: Model, tmp_path: Path) -> None:
    """A track is recommended soon after it is added, and no longer after it is removed."""
    clip = tmp_path / "new.wav"
    soundfile.write(clip, render_clip(0, 10.0, seed=99), 22_050)
    new = clip_addition(loaded_tiny_model, clip)
    manifest = loaded_tiny_model.manifest
    with (
        open_store(data) as store,
        store.writer(*manifest.key) as writer,
    ):
        writer.add([new])
        wait_until(lambda: is_recommended(stubs, ids[0], new.track))
        writer.remove([new.track.track_id])
        wait_until(lambda: not is_recommended(stubs, ids[0], new.track))
    wait_until(lambda: 20 == stubs.status().track_count)


def is_recommended(stubs: Stubs, seed: str, track: Track) -> bool:
    """True if a track is among all recommendations for a seed."""
    return track.track_id in {r.track.track_id for r in stubs.recommend(seed, limit=100).recommendations}


def test_similarity_is_a_cosine(stubs: Stubs, ids: list[str], data: Path) -> None:
    """The similarity is the cosine of the angle between the two embeddings in the store."""
    best = stubs.recommend(ids[0], limit=1).recommendations[0]
    with open_store(data) as store:
        seed, other = store.embeddings([ids[0], best.track.track_id])
    assert seed is not None
    assert other is not None
    assert best.similarity == pytest.approx(float(np.dot(seed, other)), abs=1e-5)
