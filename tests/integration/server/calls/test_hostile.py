"""Hostile inputs and other misuse: each gets a typed status, and other callers are not affected."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message

from segue.server.rpc.streams import MAX_STREAMS
from segue.v1 import audio_pb2, classification_service_pb2, classification_service_pb2_grpc
from segue.v1.classification_service_pb2 import StreamingClassifyRequest
from tests.helpers.clips import wav
from tests.helpers.machine.waiting import wait_until
from tests.helpers.server.servers import RunningServer
from tests.helpers.server.stubs import Stubs, failure, reason_of
from tests.load.hostile import inputs

CALLER_ERRORS = {"AUDIO_UNDECODABLE", "AUDIO_TOO_SHORT", "AUDIO_TOO_LONG", "AUDIO_SILENT", "MALFORMED_REQUEST"}


def outcome(stubs: Stubs, content: bytes) -> str:
    """OK, or the reason of a failed call."""
    try:
        return "OK" if stubs.classify(content).scores else "no scores"
    except grpc.RpcError as error:
        return reason_of(error)


@pytest.mark.parametrize("count", [150, pytest.param(500, marks=pytest.mark.soak)])
def test_hostile_inputs(stubs: Stubs, server: RunningServer, count: int) -> None:
    """Each input is classified or rejected as the caller's error, and a clip has the same scores as before."""
    before = stubs.classify(wav(5)).scores
    outcomes = {name: outcome(stubs, content) for name, content in inputs(count)}
    assert {} == {name: reason for name, reason in outcomes.items() if reason not in {"OK", *CALLER_ERRORS}}
    assert 0.5 < sum(reason in CALLER_ERRORS for reason in outcomes.values()) / len(outcomes)
    assert before == stubs.classify(wav(5)).scores
    assert server.process.poll() is None


def test_callers_who_cancel(stubs: Stubs, server: RunningServer) -> None:
    """Calls that are cancelled at any moment, or have hardly any time, affect no other call."""
    service = classification_service_pb2_grpc.ClassificationServiceStub(stubs.channel)
    request = classification_service_pb2.ClassifyRequest(audio=audio_pb2.Audio(content=wav(10)))
    rng = random.Random(0)
    calls = []
    for _ in range(100):
        calls.append(service.Classify.future(request, timeout=rng.choice([0.001, 0.01, 0.1, 60])))
        if rng.random() < 0.7:
            rng.choice(calls).cancel()  # type: ignore[no-untyped-call] # as grpc-stubs have it
    codes = {call.code().name for call in calls}
    assert codes <= {"OK", "CANCELLED", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED"}
    # A call has ended here before the server knows it, so the queue may be full for a moment.
    wait_until(lambda: "OVERLOADED" != outcome(stubs, wav(5)))
    assert stubs.classify(wav(5)).scores
    assert server.process.poll() is None


FAILING: dict[str, tuple[str, list[Message]]] = {
    "a short clip": ("Classify", [classification_service_pb2.ClassifyRequest(audio=audio_pb2.Audio(content=wav(1)))]),
    "no audio": ("Classify", [classification_service_pb2.ClassifyRequest()]),
    "no message": ("Classify", []),
    "an unknown method": ("Nothing", []),
    "an empty stream": ("StreamingClassify", []),
    "a stream without a config": ("StreamingClassify", [StreamingClassifyRequest(chunk=b"1234")]),
}


@pytest.mark.parametrize("kind", FAILING)
def test_many_failures_on_a_connection(server: RunningServer, kind: str) -> None:
    """A failed call releases its slot: far more calls than a connection has slots fail in the same way."""
    method, messages = FAILING[kind]
    content = [message.SerializeToString() for message in messages]
    # Without the client's own retries, every failure is seen.
    with grpc.insecure_channel(server.address, [("grpc.enable_retries", 0)]) as channel:
        opening: Any = channel.stream_stream
        call = opening(f"/segue.v1.ClassificationService/{method}")
        codes = Counter(call(iter(content), timeout=60).code().name for _ in range(700))
    assert {"UNIMPLEMENTED" if method == "Nothing" else "INVALID_ARGUMENT": 700} == codes


def test_oversized_metadata(stubs: Stubs) -> None:
    """A megabyte of metadata is rejected, and the next call succeeds."""
    service = classification_service_pb2_grpc.ClassificationServiceStub(stubs.channel)
    with pytest.raises(grpc.RpcError) as error:
        service.Classify(classification_service_pb2.ClassifyRequest(), metadata=(("x-harm", "a" * 2**20),), timeout=60)
    assert grpc.StatusCode.RESOURCE_EXHAUSTED == error.value.code()
    assert stubs.classify(wav(5)).scores


def test_a_decompression_bomb(stubs: Stubs) -> None:
    """A compressed message is rejected before it is decompressed."""
    service = classification_service_pb2_grpc.ClassificationServiceStub(stubs.channel)
    request = classification_service_pb2.ClassifyRequest(audio=audio_pb2.Audio(content=bytes(64 * 2**20)))
    with pytest.raises(grpc.RpcError) as error:
        service.Classify(request, compression=grpc.Compression.Gzip, timeout=60)
    assert grpc.StatusCode.UNIMPLEMENTED == error.value.code()
    assert stubs.classify(wav(5)).scores


@pytest.mark.parametrize(
    "method",
    [
        "segue.v1.ClassificationService/Classify",
        "segue.v1.RecommendationService/Recommend",
        "segue.v1.CatalogService/GetStatus",
        "grpc.health.v1.Health/Check",
        "grpc.health.v1.Health/Watch",
    ],
)
def test_a_call_without_a_message(stubs: Stubs, method: str) -> None:
    """A unary call that its caller ends without a message fails at once."""
    opening: Any = stubs.channel.stream_stream
    with pytest.raises(grpc.RpcError) as error:
        list(opening(f"/{method}")(iter([]), timeout=60))
    assert ("INVALID_ARGUMENT", "MALFORMED_REQUEST") == failure(error)[:2]


def test_reflection_streams_that_stay_open(stubs: Stubs) -> None:
    """The number of open reflection streams is limited, with a limit of their own."""
    over = threading.Event()
    opening: Any = stubs.channel.stream_stream
    method = opening("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")
    calls = [method(pause(over), timeout=60) for _ in range(MAX_STREAMS + 1)]
    wait_until(lambda: any(call.done() for call in calls))
    (rejected,) = [call for call in calls if call.done()]
    with pytest.raises(grpc.RpcError) as error:
        list(rejected)
    assert ("RESOURCE_EXHAUSTED", "OVERLOADED") == failure(error)[:2]
    over.set()
    assert [[]] * MAX_STREAMS == [list(call) for call in calls if call is not rejected]


def pause(over: threading.Event) -> Iterator[bytes]:
    """No message until an event."""
    over.wait(60)
    yield from ()


@pytest.mark.parametrize("method", ["Classify", "StreamingClassify"])
def test_bytes_that_are_not_a_message(stubs: Stubs, method: str) -> None:
    """Bytes that are not a message of the method are the caller's error."""
    opening: Any = stubs.channel.stream_stream
    call = opening(f"/segue.v1.ClassificationService/{method}")
    with pytest.raises(grpc.RpcError) as error:
        list(call(iter([b"\xff\xff"]), timeout=60))
    assert ("INVALID_ARGUMENT", "MALFORMED_REQUEST") == failure(error)[:2]
