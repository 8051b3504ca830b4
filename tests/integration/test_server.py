from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest
import soundfile
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from redis import Redis

from segue.core.connect import open_store
from segue.core.model import Model
from segue.core.redis_store import RedisStore
from segue.core.render import render_clip
from segue.core.store import Track
from segue.v1 import (
    audio_pb2,
    catalog_service_pb2,
    catalog_service_pb2_grpc,
    classification_service_pb2,
    classification_service_pb2_grpc,
    recommendation_service_pb2,
    recommendation_service_pb2_grpc,
)

from .conftest import Fill, Running, addition, running_server

UNLIMITED = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
UNKNOWN = "0" * 32


class Stubs:
    """Every service of a server."""

    def __init__(self, address: str) -> None:
        self.channel = grpc.insecure_channel(address, UNLIMITED)
        self._classification = classification_service_pb2_grpc.ClassificationServiceStub(self.channel)
        self._recommendation = recommendation_service_pb2_grpc.RecommendationServiceStub(self.channel)
        self._catalog = catalog_service_pb2_grpc.CatalogServiceStub(self.channel)
        self._health = health_pb2_grpc.HealthStub(self.channel)

    def classify(self, content: bytes, top_k: int | None = None) -> classification_service_pb2.ClassifyResponse:
        """Classifies the bytes of a file."""
        audio = audio_pb2.Audio(content=content)
        return self._classification.Classify(
            classification_service_pb2.ClassifyRequest(audio=audio, top_k=top_k), timeout=60
        )

    def recommend(self, seed: bytes | str, limit: int | None = None) -> recommendation_service_pb2.RecommendResponse:
        """Recommends for the bytes of a file or for a track id."""
        request = recommendation_service_pb2.RecommendRequest(limit=limit)
        if isinstance(seed, bytes):
            request.audio.content = seed
        else:
            request.track_id = seed
        return self._recommendation.Recommend(request, timeout=60)

    def get_track(self, track_id: str) -> catalog_service_pb2.GetTrackResponse:
        """Reads a track."""
        return self._catalog.GetTrack(catalog_service_pb2.GetTrackRequest(track_id=track_id), timeout=60)

    def list_tracks(self, page_size: int = 0, page_token: str = "") -> catalog_service_pb2.ListTracksResponse:
        """Reads a page of the catalogue."""
        request = catalog_service_pb2.ListTracksRequest(page_size=page_size, page_token=page_token)
        return self._catalog.ListTracks(request, timeout=60)

    def status(self) -> catalog_service_pb2.GetStatusResponse:
        """Reads the state of the server."""
        return self._catalog.GetStatus(catalog_service_pb2.GetStatusRequest(), timeout=60)

    def health(self, service: str) -> int:
        """Asks for the health of a service."""
        return int(self._health.Check(health_pb2.HealthCheckRequest(service=service), timeout=60).status)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a catalogue."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def ids(data: Path, fill: Fill, clips: list[Path]) -> list[str]:
    """The tracks of the catalogue: twenty clips."""
    return fill(data, clips)


@pytest.fixture(scope="module")
def server(data: Path, ids: list[str], tiny_model: Path) -> Iterator[Running]:
    """A server over the twenty clips."""
    with running_server("--data", str(data), "--model", str(tiny_model)) as running:
        yield running


@pytest.fixture(scope="module")
def stubs(server: Running) -> Stubs:
    """What calls the server."""
    return Stubs(server.address)


def failure(call: pytest.ExceptionInfo[grpc.RpcError]) -> tuple[str, str, dict[str, object]]:
    """The code, the reason and the other details of a failed call."""
    error = call.value
    assert isinstance(error, grpc.Call)
    trailing = {str(key): value for key, value in error.trailing_metadata() or ()}
    status = status_pb2.Status.FromString(trailing["grpc-status-details-bin"])
    kinds = (
        error_details_pb2.ErrorInfo,
        error_details_pb2.BadRequest,
        error_details_pb2.ResourceInfo,
        error_details_pb2.RetryInfo,
    )
    details: dict[str, object] = {}
    for packed in status.details:
        for kind in kinds:
            if packed.Is(kind.DESCRIPTOR):
                details[kind.__name__] = kind.FromString(packed.value)
    info = details["ErrorInfo"]
    assert isinstance(info, error_details_pb2.ErrorInfo)
    assert "segue.v1" == info.domain
    assert trailing["x-request-id"] == info.metadata["request_id"]
    return error.code().name, info.reason, details


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


def wav(seconds: float, gain: float = 1.0, rate: int = 22_050) -> bytes:
    """A rendered clip as a WAV file."""
    file = io.BytesIO()
    soundfile.write(file, gain * render_clip(1, seconds, rate), rate, format="WAV", subtype="FLOAT")
    return file.getvalue()


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


@pytest.mark.parametrize(("size", "token"), [(-1, ""), (0, "not ours"), (0, "!!!!"), (0, "////")])
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
        store.writer(manifest.model_id, manifest.features.fingerprint, manifest.embedding_width) as writer,
    ):
        writer.add([new])
        wait_until(lambda: recommended(stubs, ids[0], new.track))
        writer.remove([new.track.track_id])
        wait_until(lambda: not recommended(stubs, ids[0], new.track))
    wait_until(lambda: 20 == stubs.status().track_count)


def recommended(stubs: Stubs, seed: str, track: Track) -> bool:
    """Whether a track is among all that is recommended for a seed."""
    return track.track_id in {r.track.track_id for r in stubs.recommend(seed, limit=100).recommendations}


def wait_until(true: Callable[[], bool], seconds: float = 5) -> None:
    """Waits until something is so."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_empty_catalogue_then_tracks(tmp_path: Path, tiny_model: Path, fill: Fill, clips: list[Path]) -> None:
    """A server that starts first says that the catalogue is empty, and recommends once something is indexed."""
    with running_server("--data", str(tmp_path), "--model", str(tiny_model)) as running:
        stubs = Stubs(running.address)
        for seed in (clips[0].read_bytes(), UNKNOWN):
            with pytest.raises(grpc.RpcError, match="segue-indexer add") as error:
                stubs.recommend(seed)
            assert ("FAILED_PRECONDITION", "CATALOGUE_EMPTY") == failure(error)[:2]
        assert health_pb2.HealthCheckResponse.SERVING == stubs.health("segue.v1.RecommendationService")
        fill(tmp_path, clips[:3])
        wait_until(lambda: 3 == stubs.status().track_count)
        assert 3 == len(stubs.recommend(clips[5].read_bytes()).recommendations)


def test_redis_that_is_not_there(tmp_path: Path, tiny_model: Path, clips: list[Path]) -> None:
    """Without its Redis a server classifies, says what is wrong, and tells it by health."""
    options = ("--data", str(tmp_path), "--model", str(tiny_model), "--redis", "redis://127.0.0.1:1")
    with running_server(*options) as running:
        stubs = Stubs(running.address)
        assert stubs.classify(clips[0].read_bytes()).scores
        calls: list[Callable[[], object]] = [
            lambda: stubs.recommend(UNKNOWN),
            lambda: stubs.get_track(UNKNOWN),
            stubs.list_tracks,
        ]
        for call in calls:
            with pytest.raises(grpc.RpcError, match="Redis does not answer") as error:
                call()
            code, reason, details = failure(error)
            assert ("UNAVAILABLE", "STORE_UNAVAILABLE") == (code, reason)
            assert "RetryInfo" in details
        assert "Redis does not answer" in stubs.status().catalogue_problem
        assert health_pb2.HealthCheckResponse.SERVING == stubs.health("segue.v1.ClassificationService")
        assert health_pb2.HealthCheckResponse.NOT_SERVING == stubs.health("segue.v1.RecommendationService")


def test_a_private_redis_that_died(tmp_path: Path, tiny_model: Path, fill: Fill, clips: list[Path]) -> None:
    """A private Redis that is killed under the server is started again, and nothing of the catalogue is lost."""
    ids = fill(tmp_path, clips[:3])
    with running_server("--data", str(tmp_path), "--model", str(tiny_model)) as running:
        stubs = Stubs(running.address)
        with open_store(tmp_path) as store:
            pid = redis_pid(store)
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: answers(stubs, ids[0]), 20)
        assert 2 == len(stubs.recommend(ids[0]).recommendations)


def test_a_redis_that_hangs(tmp_path: Path, tiny_model: Path, fill: Fill, clips: list[Path]) -> None:
    """While Redis answers nothing, nobody waits for it for long, and once it answers again all is as before."""
    ids = fill(tmp_path, clips[:3])
    with running_server("--data", str(tmp_path), "--model", str(tiny_model)) as running:
        stubs = Stubs(running.address)
        with open_store(tmp_path) as store:
            pid = redis_pid(store)
        os.kill(pid, signal.SIGSTOP)
        try:
            wait_until(lambda: bool(stubs.status().catalogue_problem), 30)
            with pytest.raises(grpc.RpcError) as error:
                stubs.get_track(ids[0])
            assert ("UNAVAILABLE", "STORE_UNAVAILABLE") == failure(error)[:2]
            assert stubs.classify(clips[0].read_bytes()).scores
        finally:
            os.kill(pid, signal.SIGCONT)
        wait_until(lambda: answers(stubs, ids[0]), 30)


def test_sigterm_beside_a_redis_that_hangs(tmp_path: Path, tiny_model: Path, fill: Fill, clips: list[Path]) -> None:
    """A server stops on SIGTERM also when its private Redis does not answer, and that stops when it wakes."""
    fill(tmp_path, clips[:3])
    with running_server("--data", str(tmp_path), "--model", str(tiny_model)) as running:
        with open_store(tmp_path) as store:
            pid = redis_pid(store)
        os.kill(pid, signal.SIGSTOP)
        running.process.terminate()
        try:
            assert 0 == running.process.wait(60)
        finally:
            os.kill(pid, signal.SIGCONT)
    wait_until(lambda: not alive(pid), 30)


def test_sigterm_while_starting(tmp_path: Path, tiny_model: Path) -> None:
    """A server that is told to stop before it serves leaves no Redis behind."""
    command = [sys.executable, "-m", "segue.server", "--data", str(tmp_path), "--model", str(tiny_model)]
    with subprocess.Popen([*command, "--listen", "127.0.0.1:0"], stderr=subprocess.DEVNULL) as process:
        pid_file = tmp_path / "redis" / "redis.pid"
        wait_until(lambda: pid_file.exists() and pid_file.read_text().strip() != "", 60)
        pid = int(pid_file.read_text())
        process.terminate()
        assert 0 == process.wait(60)
    wait_until(lambda: not alive(pid), 30)


def alive(pid: int) -> bool:
    """Whether a process runs; one that ended and was not yet buried does not."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def redis_pid(store: RedisStore) -> int:
    """The process of a private Redis, as it says itself."""
    with Redis(unix_socket_path=store.address.removeprefix("unix://")) as client:
        return int(client.info("server")["process_id"])


def answers(stubs: Stubs, track_id: str) -> bool:
    """Whether the server can read a track."""
    try:
        return bool(stubs.get_track(track_id).track.title)
    except grpc.RpcError:
        return False


def refused(*options: str) -> str:
    """What a server that will not start says before it exits with 1."""
    ended = subprocess.run(
        [sys.executable, "-m", "segue.server", *options], capture_output=True, text=True, timeout=120, check=False
    )
    assert 1 == ended.returncode
    assert "Traceback" not in ended.stderr
    return ended.stderr


def test_no_model(tmp_path: Path) -> None:
    """A folder without a model is named."""
    assert f"no model in {tmp_path}" in refused("--data", str(tmp_path), "--model", str(tmp_path))


def test_port_taken(server: Running, tmp_path: Path, tiny_model: Path) -> None:
    """A port that another server has is named."""
    said = refused("--listen", server.address, "--data", str(tmp_path), "--model", str(tiny_model))
    assert f"Cannot listen on {server.address}" in said


def test_catalogue_of_another_model(tmp_path: Path, tiny_model: Path) -> None:
    """A catalogue that another model made is refused at the start, with both names."""
    with open_store(tmp_path) as store, store.writer("other-12345678", "f" * 16, 8):
        pass
    said = refused("--data", str(tmp_path), "--model", str(tiny_model), "--listen", "127.0.0.1:0")
    assert "other-12345678" in said
    assert "tiny-" in said
    assert "f" * 16 in said


def test_overloaded(tmp_path: Path, tiny_model: Path) -> None:
    """One piece more than may wait is refused at once, with the time to try again."""
    options = ("--data", str(tmp_path), "--model", str(tiny_model), "--workers", "1", "--most-waiting", "2")
    with running_server(*options) as running:
        stubs = Stubs(running.address)
        service = classification_service_pb2_grpc.ClassificationServiceStub(stubs.channel)
        request = classification_service_pb2.ClassifyRequest(audio=audio_pb2.Audio(content=wav(50, rate=44_100)))
        calls = [service.Classify.future(request, timeout=60) for _ in range(12)]
        codes = [call.code() for call in calls]
        assert grpc.StatusCode.OK in codes
        assert grpc.StatusCode.RESOURCE_EXHAUSTED in codes
        assert {grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED} == set(codes)
        assert stubs.classify(wav(5)).scores


def test_sigterm_finishes_what_is_under_way(tmp_path: Path, tiny_model: Path) -> None:
    """After SIGTERM a call under way is answered, and the server exits with 0."""
    with running_server("--data", str(tmp_path), "--model", str(tiny_model)) as running:
        stubs = Stubs(running.address)
        service = classification_service_pb2_grpc.ClassificationServiceStub(stubs.channel)
        request = classification_service_pb2.ClassifyRequest(audio=audio_pb2.Audio(content=wav(50, rate=44_100)))
        call = service.Classify.future(request, timeout=60)
        stubs.status()  # has overtaken the big request, so that is on its way
        time.sleep(0.05)
        running.process.send_signal(signal.SIGTERM)
        assert call.result().scores
        assert 0 == running.process.wait(30)


def test_similarity_is_a_cosine(stubs: Stubs, ids: list[str], data: Path) -> None:
    """The similarity that is answered is the cosine of the two embeddings in the store."""
    best = stubs.recommend(ids[0], limit=1).recommendations[0]
    with open_store(data) as store:
        seed, other = store.embeddings([ids[0], best.track.track_id])
    assert seed is not None
    assert other is not None
    assert best.similarity == pytest.approx(float(np.dot(seed, other)), abs=1e-5)
