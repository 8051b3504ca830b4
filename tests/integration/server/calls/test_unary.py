from __future__ import annotations

from pathlib import Path

import grpc
import numpy as np
import pytest
import soundfile
from grpc_health.v1 import health_pb2

from segue.core.catalogue.records import Track
from segue.core.model.saved_model import Model
from segue.core.redis_catalogue.open import open_store
from segue.core.testing.synthetic_clips import render_clip
from segue.v1 import (
    catalog_service_pb2,
    catalog_service_pb2_grpc,
    recommendation_service_pb2,
    recommendation_service_pb2_grpc,
)
from tests.helpers.clips import addition, wav
from tests.helpers.stubs import Stubs, failure
from tests.helpers.waiting import wait_until

UNKNOWN = "0" * 32


def test_classify(stubs: Stubs, clips: list[Path]) -> None:
    """A real clip has every genre scored, best first, together 1, by a model that is named."""
    answer = stubs.classify(clips[0].read_bytes())
    scores = [score.score for score in answer.scores]
    assert 10 == len(scores)
    assert sorted(scores, reverse=True) == scores
    assert pytest.approx(1, abs=1e-5) == sum(scores)
    assert answer.revision.model_id.startswith("tiny-")
    assert 20 == answer.revision.catalogue_revision


def test_top_k(stubs: Stubs, clips: list[Path]) -> None:
    """Asked for three, it answers three; asked for more than 100, as many as it has."""
    assert 3 == len(stubs.classify(clips[0].read_bytes(), top_k=3).scores)
    assert 10 == len(stubs.classify(clips[0].read_bytes(), top_k=10_000).scores)


def test_recommend_by_id(stubs: Stubs, ids: list[str]) -> None:
    """A track's neighbours come nearest first, with their metadata, and without the track itself."""
    found = stubs.recommend(ids[3], limit=5).recommendations
    similarities = [recommendation.similarity for recommendation in found]
    assert 5 == len(found)
    assert sorted(similarities, reverse=True) == similarities
    assert all(recommendation.track.title for recommendation in found)
    assert ids[3] not in {recommendation.track.track_id for recommendation in found}


def test_recommend_by_clip_is_as_by_id(stubs: Stubs, ids: list[str], clips: list[Path]) -> None:
    """A clip that is in the catalogue is known by its audio, and is not recommended for itself."""
    by_clip = stubs.recommend(clips[3].read_bytes()).recommendations
    by_id = stubs.recommend(ids[3]).recommendations
    assert 10 == len(by_clip)
    assert [r.track.track_id for r in by_id] == [r.track.track_id for r in by_clip]


def test_recommend_at_most_what_there_is(stubs: Stubs, ids: list[str]) -> None:
    """Asked for 10,000, it answers all that there is but the seed."""
    assert 19 == len(stubs.recommend(ids[0], limit=10_000).recommendations)


def test_get_track(stubs: Stubs, ids: list[str], clips: list[Path]) -> None:
    """A track is read with what the indexer wrote."""
    track = stubs.get_track(ids[0]).track
    assert (ids[0], clips[0].stem, str(clips[0])) == (track.track_id, track.title, track.path)
    assert 29 < track.duration.ToMilliseconds() / 1000 < 31


def test_pages(stubs: Stubs, ids: list[str]) -> None:
    """The pages together hold every track once, in the order of their ids."""
    listed: list[str] = []
    token = ""
    while True:
        page = stubs.list_tracks(page_size=7, page_token=token)
        listed += [track.track_id for track in page.tracks]
        token = page.next_page_token
        if not token:
            break
    assert sorted(ids) == listed


def test_status(stubs: Stubs) -> None:
    """The state names the model, its genres and the size of the catalogue."""
    status = stubs.status()
    assert (20, 10, "") == (status.track_count, len(status.genres), status.catalogue_problem)


def test_health(stubs: Stubs) -> None:
    """Every service is serving, and so is the whole; another is not known."""
    services = ("ClassificationService", "RecommendationService", "CatalogService")
    states = {stubs.health(service) for service in ("", *(f"segue.v1.{service}" for service in services))}
    assert {health_pb2.HealthCheckResponse.SERVING} == states
    with pytest.raises(grpc.RpcError, match="NOT_FOUND"):
        stubs.health("segue.v1.NoSuchService")


BAD_AUDIO = {
    "empty": (b"", "MALFORMED_REQUEST"),
    "text": (b"This is not music. " * 50, "AUDIO_UNDECODABLE"),
    "jpeg": (b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(500), "AUDIO_UNDECODABLE"),
    "truncated": (wav(5)[:100_000], "AUDIO_UNDECODABLE"),
    "half a second": (wav(0.5), "AUDIO_TOO_SHORT"),
    "silence": (wav(5, gain=0), "AUDIO_SILENT"),
    "nan": (wav(5, gain=float("nan")), "AUDIO_UNDECODABLE"),
    "20 MiB": (bytes(20 * 2**20), "AUDIO_TOO_LONG"),
}


@pytest.mark.parametrize("name", BAD_AUDIO)
@pytest.mark.parametrize("call", ["classify", "recommend"])
def test_bad_audio(stubs: Stubs, name: str, call: str) -> None:
    """Each kind of unusable audio has its own reason and names the field, and the next call works."""
    content, reason = BAD_AUDIO[name]
    with pytest.raises(grpc.RpcError) as error:
        getattr(stubs, call)(content)
    code, actual, details = failure(error)
    assert ("INVALID_ARGUMENT", reason) == (code, actual)
    violations = details["BadRequest"].field_violations  # type: ignore[attr-defined] # a BadRequest
    assert ["audio.content"] == [violation.field for violation in violations]
    assert 20 == stubs.status().track_count


def test_40_mib(stubs: Stubs, clips: list[Path]) -> None:
    """More than the transport takes is refused by gRPC itself, and the next call works."""
    with pytest.raises(grpc.RpcError, match="RESOURCE_EXHAUSTED"):
        stubs.classify(bytes(40 * 2**20))
    assert stubs.classify(clips[0].read_bytes()).scores


@pytest.mark.parametrize("value", [0, -1])
def test_limits_below_one(stubs: Stubs, ids: list[str], clips: list[Path], value: int) -> None:
    """0 and below are errors that name the field."""
    for field, call in (
        ("limit", lambda: stubs.recommend(ids[0], limit=value)),
        ("top_k", lambda: stubs.classify(clips[0].read_bytes(), top_k=value)),
    ):
        with pytest.raises(grpc.RpcError, match=f"{field} is {value}") as error:
            call()
        assert ("INVALID_ARGUMENT", "MALFORMED_REQUEST") == failure(error)[:2]


def test_unknown_track(stubs: Stubs) -> None:
    """An id that no track has is not found, and is named."""
    for call in (stubs.get_track, stubs.recommend):
        with pytest.raises(grpc.RpcError) as error:
            call(UNKNOWN)
        code, reason, details = failure(error)
        assert ("NOT_FOUND", "TRACK_NOT_FOUND") == (code, reason)
        assert UNKNOWN == details["ResourceInfo"].resource_name  # type: ignore[attr-defined] # a ResourceInfo


def test_an_endless_id(stubs: Stubs) -> None:
    """An id of any length is not found; it does not come back whole, for headers are short."""
    with pytest.raises(grpc.RpcError) as error:
        stubs.get_track("x" * 100_000)
    assert ("NOT_FOUND", "TRACK_NOT_FOUND") == failure(error)[:2]


@pytest.mark.parametrize(("size", "token"), [(-1, ""), (0, "not ours"), (0, "!!!!"), (0, "////"), (0, "AAAA")])
def test_bad_pages(stubs: Stubs, size: int, token: str) -> None:
    """A negative size and a made-up token are errors."""
    with pytest.raises(grpc.RpcError) as error:
        stubs.list_tracks(size, token)
    assert ("INVALID_ARGUMENT", "MALFORMED_REQUEST") == failure(error)[:2]


def test_nothing_asked(stubs: Stubs) -> None:
    """A request without a seed, and one for a track without an id, name what is missing."""
    service = recommendation_service_pb2_grpc.RecommendationServiceStub(stubs.channel)
    with pytest.raises(grpc.RpcError, match="no seed") as error:
        service.Recommend(recommendation_service_pb2.RecommendRequest(), timeout=60)
    assert ("INVALID_ARGUMENT", "MALFORMED_REQUEST") == failure(error)[:2]
    with pytest.raises(grpc.RpcError, match="track_id is empty"):
        stubs.get_track("")


def test_request_id_comes_back(stubs: Stubs) -> None:
    """A caller's own request id is in the answer's trailing metadata; without one there is a new one."""
    service = catalog_service_pb2_grpc.CatalogServiceStub(stubs.channel)
    _, call = service.GetStatus.with_call(
        catalog_service_pb2.GetStatusRequest(), metadata=(("x-request-id", "mine-42"),), timeout=60
    )
    assert ("x-request-id", "mine-42") in call.trailing_metadata()


def test_a_new_track_is_recommended_at_once(
    stubs: Stubs, data: Path, ids: list[str], loaded_tiny_model: Model, tmp_path: Path
) -> None:
    """A track that is committed is recommended within a second, and one that is removed no more."""
    clip = tmp_path / "new.wav"
    soundfile.write(clip, render_clip(0, 10.0, seed=99), 22_050)
    new = addition(loaded_tiny_model, clip)
    manifest = loaded_tiny_model.manifest
    with (
        open_store(data) as store,
        store.writer(*manifest.key) as writer,
    ):
        writer.add([new])
        wait_until(lambda: recommended(stubs, ids[0], new.track))
        writer.remove([new.track.track_id])
        wait_until(lambda: not recommended(stubs, ids[0], new.track))
    wait_until(lambda: 20 == stubs.status().track_count)


def recommended(stubs: Stubs, seed: str, track: Track) -> bool:
    """Whether a track is among all that is recommended for a seed."""
    return track.track_id in {r.track.track_id for r in stubs.recommend(seed, limit=100).recommendations}


def test_similarity_is_a_cosine(stubs: Stubs, ids: list[str], data: Path) -> None:
    """The similarity that is answered is the cosine of the two embeddings in the store."""
    best = stubs.recommend(ids[0], limit=1).recommendations[0]
    with open_store(data) as store:
        seed, other = store.embeddings([ids[0], best.track.track_id])
    assert seed is not None
    assert other is not None
    assert best.similarity == pytest.approx(float(np.dot(seed, other)), abs=1e-5)
