"""The metrics of a running server."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from segue.server.observability.metrics import STAGES
from segue.v1.audio_pb2 import QUALITY_FLAG_SHORT
from segue.v1.classification_service_pb2 import StreamingClassifyConfig, StreamingClassifyRequest
from tests.helpers.clips import Fill, wav
from tests.helpers.machine.waiting import wait_until
from tests.helpers.server.servers import RunningServer, running_server
from tests.helpers.server.stubs import Stubs, list_services

CATALOG, CLASSIFICATION = "/segue.v1.CatalogService", "/segue.v1.ClassificationService"
WATCH = "/grpc.health.v1.Health/Watch"
REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"


def test_calls_of_every_kind(tmp_path: Path, tiny_model: Path, fill: Fill, clips: list[Path]) -> None:
    """Calls and streams are counted by their outcome, and model, catalogue and memory are shown."""
    fill(tmp_path, clips[:3])
    options = ("--data", str(tmp_path), "--model", str(tiny_model), "--metrics-listen", "127.0.0.1:0")
    with running_server(*options) as running:
        stubs = Stubs(running.address)
        stubs.status()
        with pytest.raises(grpc.RpcError):
            stubs.classify(b"no music")
        watch_and_cancel(stubs.channel)
        with pytest.raises(grpc.RpcError):
            watch_for(stubs.channel, seconds=1)
        list_services(stubs.channel)
        expected = {
            f'segue_requests_total{{code="OK",method="{CATALOG}/GetStatus"}}': 1,
            f'segue_requests_total{{code="INVALID_ARGUMENT",method="{CLASSIFICATION}/Classify"}}': 1,
            f'segue_requests_total{{code="CANCELLED",method="{WATCH}"}}': 1,
            f'segue_requests_total{{code="DEADLINE_EXCEEDED",method="{WATCH}"}}': 1,
            f'segue_requests_total{{code="OK",method="{REFLECTION}"}}': 1,
            f'segue_requests_in_flight{{method="{WATCH}"}}': 0,
            'segue_failures_total{reason="AUDIO_UNDECODABLE"}': 1,
            "segue_index_tracks": 3,
            "segue_index_tombstones": 0,
            "segue_store_up": 1,
            "segue_catalogue_damaged": 0,
        }
        # The server notices a moment later that a caller has cancelled.
        wait_until(lambda: expected == {name: running.metrics().get(name) for name in expected})
        assert 0 < running.metrics()["segue_catalogue_revision"]
        assert 1 == running.metrics()[f'segue_model_info{{model_id="{stubs.status().revision.model_id}"}}']
        ids = [track.track_id for track in stubs.list_tracks().tracks]
        stubs.recommend(ids[0])
        stubs.recommend(clips[5].read_bytes())
        stages = {stage: running.metrics()[f'segue_stage_seconds_count{{stage="{stage}"}}'] for stage in STAGES}
        del stages["metadata"]  # it was in memory, unless the machine was busy
        assert dict.fromkeys(stages, 1) | {"search": 2} == stages
        assert 3 * 200 < running.metrics()["segue_metadata_bytes"]
        assert 0 < running.metrics()["segue_redis_seconds_count"]
        assert 10_000_000 < running.metrics()["process_resident_memory_bytes"]


def test_drift(server: RunningServer, stubs: Stubs, ids: list[str], clips: list[Path]) -> None:
    """A clip counts for its first genre and its flags, and a recommendation by the similarity of its first track."""
    before = server.metrics()
    answer = stubs.classify(clips[0].read_bytes())
    assert QUALITY_FLAG_SHORT in stubs.classify(wav(3.5)).quality_flags
    nearest = stubs.recommend(ids[0]).recommendations[0].similarity
    stubs.recommend(ids[0], offset=1)  # its first track is not the nearest
    after = server.metrics()
    counts = {name: after[name] - before.get(name, 0) for name in after}
    assert 2 == counts["segue_clips_analyzed_total"]
    genres = {name: count for name, count in counts.items() if name.startswith("segue_top_genre_total")}
    assert (2, True) == (sum(genres.values()), genres[f'segue_top_genre_total{{genre="{answer.scores[0].genre}"}}'] > 0)
    assert 1 == counts['segue_quality_flags_total{flag="SHORT"}']
    assert 1 == counts["segue_first_similarity_count"]
    assert pytest.approx(nearest, abs=1e-6) == counts["segue_first_similarity_sum"]


def test_cancelled_streams_are_no_failures(tmp_path: Path, tiny_model: Path) -> None:
    """A stream that its caller cancels at any moment is counted as cancelled, and never as a failure."""
    options = ("--data", str(tmp_path), "--model", str(tiny_model), "--metrics-listen", "127.0.0.1:0")
    with running_server(*options) as running:
        stubs = Stubs(running.address)
        streams = f'method="{CLASSIFICATION}/StreamingClassify"'
        for number in range(60):
            over = threading.Event()
            call = stubs.streaming_classify(config_and_pause(over))
            if number % 20:
                time.sleep(number % 20 / 500)  # another moment each time
            else:
                wait_until(lambda: in_progress(running, streams) == 1)
            call.cancel()
            over.set()
            # At most 32 streams may be open, and the server notices a moment later that one is not.
            if number % 20 == 19:
                wait_until(lambda: in_progress(running, streams) == 0)
        assert {f'segue_requests_total{{code="CANCELLED",{streams}}}'} == {
            name for name in running.metrics() if name.startswith(("segue_requests_total", "segue_failures_total"))
        }


def in_progress(running: RunningServer, calls: str) -> float:
    """The number of calls of a method that are in progress."""
    return running.metrics().get(f"segue_requests_in_flight{{{calls}}}", 0)


def config_and_pause(over: threading.Event) -> Iterator[StreamingClassifyRequest]:
    """The first message of a stream, and then a pause until an event."""
    yield StreamingClassifyRequest(config=StreamingClassifyConfig())
    over.wait(60)


def watch_and_cancel(channel: grpc.Channel) -> None:
    """Watches the server's health until the first response."""
    responses = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
    next(responses)
    responses.cancel()


def watch_for(channel: grpc.Channel, seconds: float) -> None:
    """Watches the server's health until the deadline."""
    list(health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(), timeout=seconds))


def test_recall(tmp_path: Path, tiny_model: Path, fill: Fill, clips: list[Path]) -> None:
    """A share of the searches is repeated exactly in the background; the index finds all of so few tracks."""
    ids = fill(tmp_path, clips[:3])
    options = ("--data", str(tmp_path), "--model", str(tiny_model), "--metrics-listen", "127.0.0.1:0")
    with running_server(*options, "--recall-sample", "1") as running:
        stubs = Stubs(running.address)
        stubs.recommend(ids[0])
        wait_until(lambda: 2 == running.metrics()["segue_recall_wanted_total"])  # the seed is none of them
        assert 2 == running.metrics()["segue_recall_found_total"]
        time.sleep(1)  # the pause after the first one
        stubs.recommend(clips[5].read_bytes())
        wait_until(lambda: 5 == running.metrics()["segue_recall_wanted_total"])
        assert 5 == running.metrics()["segue_recall_found_total"]
    with running_server(*options, "--recall-sample", "0") as running:
        Stubs(running.address).recommend(ids[0])
        assert 0 == running.metrics()["segue_recall_wanted_total"]
