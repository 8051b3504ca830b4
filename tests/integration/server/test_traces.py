"""Traces of real calls, from the client's process to the server's stages, sent to a real receiver."""

from __future__ import annotations

import itertools
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from segue.v1.classification_service_pb2 import StreamingClassifyConfig, StreamingClassifyRequest
from tests.helpers.machine.processes import ended as end
from tests.helpers.machine.waiting import wait_until
from tests.helpers.server.otlp import ReceivedSpan, TraceReceiver, trace_receiver
from tests.helpers.server.servers import RunningServer, running_server
from tests.helpers.server.stubs import Stubs

RECOMMEND, CLASSIFY = "segue.v1.RecommendationService/Recommend", "segue.v1.ClassificationService/Classify"
STREAM, GET_TRACK = "segue.v1.ClassificationService/StreamingClassify", "segue.v1.CatalogService/GetTrack"
CLIP_STAGES = ["queue", "decode", "features", "network"]

STREAMING = """
import asyncio, sys
from pathlib import Path
from segue.client import AsyncClient
from segue.core.settings.tracing import start_tracing

async def call():
    async with AsyncClient(sys.argv[1]) as client:
        content = Path(sys.argv[2]).read_bytes()
        async for _ in client.streaming_classify([content[:100_000], content[100_000:]]):
            pass

start_tracing("player")
asyncio.run(call())
"""


@pytest.fixture(scope="module")
def serving() -> Iterator[TraceReceiver]:
    """A receiver of the traces of every program that these tests start."""
    with trace_receiver() as running, pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", running.address)
        patch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
        yield running


@pytest.fixture(scope="module")
def traced(serving: TraceReceiver, data: Path, ids: list[str], tiny_model: Path) -> Iterator[RunningServer]:
    """A server over the catalogue whose traces the receiver gets."""
    assert ids
    assert serving.address
    with running_server("--data", str(data), "--model", str(tiny_model)) as running:
        yield running


@pytest.fixture
def receiver(serving: TraceReceiver) -> TraceReceiver:
    """The receiver, without the spans of earlier tests."""
    serving.spans.clear()
    return serving


def call(running: RunningServer, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs `segue` against a server."""
    command = [str(Path(sys.executable).with_name("segue")), *arguments, "--address", running.address]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def config_and_pause(over: threading.Event) -> Iterator[StreamingClassifyRequest]:
    """The first message of a stream, and then a pause until an event."""
    yield StreamingClassifyRequest(config=StreamingClassifyConfig())
    over.wait(10)


def client_and_server(receiver: TraceReceiver, method: str) -> tuple[ReceivedSpan, ReceivedSpan]:
    """The two spans of a call, once both have come."""
    wait_until(lambda: len(receiver.named(method)) == 2)
    server, client = sorted(receiver.named(method), key=lambda received: received.service == "segue-server")[::-1]
    return client, server


def stages_of(receiver: TraceReceiver, parent: ReceivedSpan) -> list[ReceivedSpan]:
    """The spans of the stages of a call, by their start."""
    below = [received for received in receiver.spans if received.span.parent_span_id == parent.span.span_id]
    return sorted(below, key=lambda received: received.span.start_time_unix_nano)


def test_one_trace_from_client_to_index(receiver: TraceReceiver, traced: RunningServer, clips: list[Path]) -> None:
    """`segue recommend` and the server make one trace, in which each stage is inside the span of the call."""
    ended = call(traced, "recommend", str(clips[0]))
    assert 0 == ended.returncode, ended.stderr
    client, server = client_and_server(receiver, RECOMMEND)
    assert ("segue", "segue-server") == (client.service, server.service)
    assert client.span.span_id == server.span.parent_span_id
    stages = stages_of(receiver, server)
    names = [received.span.name for received in stages]
    assert [*CLIP_STAGES, "search"] == [name for name in names if name != "metadata"]  # which is mostly in memory
    assert {client.span.trace_id} == {received.span.trace_id for received in receiver.spans}
    times = [(received.span.start_time_unix_nano, received.span.end_time_unix_nano) for received in stages]
    millisecond = 1_000_000  # the clocks are read one after the other
    assert server.span.start_time_unix_nano - millisecond <= times[0][0]
    assert all(before[1] <= after[0] + millisecond for before, after in itertools.pairwise(times))
    assert times[-1][1] <= server.span.end_time_unix_nano + millisecond
    assert "OK" == client.attributes["rpc.response.status_code"] == server.attributes["rpc.response.status_code"]
    assert not client.failed
    assert not server.failed


def test_failed_calls(receiver: TraceReceiver, traced: RunningServer, tmp_path: Path) -> None:
    """A failed call has its reason and request id in both spans, and no span has the path of a file."""
    song = tmp_path / "secret-title.mp3"
    song.write_bytes(b"no music" * 100)
    assert 1 == call(traced, "classify", str(song)).returncode
    client, server = client_and_server(receiver, CLASSIFY)
    assert client.failed
    assert "AUDIO_UNDECODABLE" == client.attributes["error.type"] == server.attributes["error.type"]
    assert client.attributes["segue.request_id"] == server.attributes["segue.request_id"]
    assert [("decode", True)] == [(stage.span.name, stage.failed) for stage in stages_of(receiver, server)]
    assert 1 == call(traced, "track", str(song)).returncode
    client_and_server(receiver, GET_TRACK)
    assert "secret-title" not in "".join(str(received.span) for received in receiver.spans)


def test_streams(receiver: TraceReceiver, traced: RunningServer, clips: list[Path]) -> None:
    """A stream of an asyncio client has one span in each process, over all its clips."""
    arguments = [sys.executable, "-c", STREAMING, traced.address, str(clips[0])]
    subprocess.run(arguments, check=True)
    client, server = client_and_server(receiver, STREAM)
    assert ("player", client.span.span_id) == (client.service, server.span.parent_span_id)
    names = [received.span.name for received in stages_of(receiver, server)]
    assert set(CLIP_STAGES) == {*names}
    assert names.count("network") > 1


def test_calls_of_one_batch(receiver: TraceReceiver, traced: RunningServer, clips: list[Path]) -> None:
    """Each of many calls at once has every stage exactly once, although they share workers and batches."""
    stubs, contents = Stubs(traced.address), [clip.read_bytes() for clip in clips[:12]]
    with ThreadPoolExecutor(len(contents)) as threads:
        list(threads.map(stubs.classify, contents))
    wait_until(lambda: len(receiver.named(CLASSIFY)) == len(contents))
    stages = [[stage.span.name for stage in stages_of(receiver, call)] for call in receiver.named(CLASSIFY)]
    assert [CLIP_STAGES] * len(contents) == stages


def test_a_cancelled_stream(receiver: TraceReceiver, traced: RunningServer) -> None:
    """The span of a stream that its caller cancels says so."""
    over = threading.Event()
    stream = Stubs(traced.address).streaming_classify(config_and_pause(over))
    time.sleep(1)  # the server waits for a chunk by now
    stream.cancel()
    over.set()
    wait_until(lambda: bool(receiver.named(STREAM)))
    (received,) = receiver.named(STREAM)
    assert "CANCELLED" == received.attributes["rpc.response.status_code"]


def test_health_is_not_traced(receiver: TraceReceiver, traced: RunningServer) -> None:
    """Health checks, which come every few seconds, and the reading of the catalogue make no spans."""
    assert 1 == Stubs(traced.address).health("")
    assert 0 == call(traced, "status").returncode
    client_and_server(receiver, "segue.v1.CatalogService/GetStatus")
    assert 2 == len(receiver.spans)


def test_a_receiver_that_is_away_costs_nothing(
    data: Path, ids: list[str], tiny_model: Path, clips: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While no receiver answers, calls are served and the server ends in order."""
    assert ids
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    with running_server("--data", str(data), "--model", str(tiny_model)) as running:
        assert 0 == call(running, "recommend", str(clips[0])).returncode
        assert 0 == end(running.process)
