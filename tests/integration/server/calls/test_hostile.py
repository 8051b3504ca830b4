"""Five hundred inputs that mean harm: none of them is answered by anything but a typed status, and all others go on."""

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
from tests.helpers.servers import RunningServer
from tests.helpers.stubs import Stubs, failure
from tests.helpers.waiting import wait_until
from tests.load.hostile import inputs

MISTAKES = {"AUDIO_UNDECODABLE", "AUDIO_TOO_SHORT", "AUDIO_TOO_LONG", "AUDIO_SILENT", "MALFORMED_REQUEST"}


def outcome(stubs: Stubs, content: bytes) -> str:
    """OK, or the reason of what was answered."""
    try:
        return "OK" if stubs.classify(content).scores else "nothing"
    except grpc.RpcError as error:
        return failure(pytest.ExceptionInfo.from_exception(error))[1]


def test_five_hundred(stubs: Stubs, server: RunningServer) -> None:
    """Each is heard, or refused as the caller's mistake; and honest music is heard afterwards as before."""
    before = stubs.classify(wav(5)).scores
    outcomes = {what: outcome(stubs, content) for what, content in inputs(500)}
    assert {} == {what: reason for what, reason in outcomes.items() if reason not in {"OK", *MISTAKES}}
    assert 0.5 < sum(reason in MISTAKES for reason in outcomes.values()) / len(outcomes)
    assert before == stubs.classify(wav(5)).scores
    assert server.process.poll() is None


def test_callers_who_leave(stubs: Stubs, server: RunningServer) -> None:
    """Calls that are cancelled at any moment, or have next to no time, harm nobody."""
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
    # Whoever leaves has left here before the server knows, so it may be full for a moment.
    wait_until(lambda: "OVERLOADED" != outcome(stubs, wav(5)))
    assert stubs.classify(wav(5)).scores
    assert server.process.poll() is None


FAILING: dict[str, tuple[str, list[Message]]] = {
    "no music": ("Classify", [classification_service_pb2.ClassifyRequest(audio=audio_pb2.Audio(content=b"no music"))]),
    "no audio": ("Classify", [classification_service_pb2.ClassifyRequest()]),
    "no message": ("Classify", []),
    "no such method": ("Nothing", []),
    "a stream of nothing": ("StreamingClassify", []),
    "a stream without its beginning": ("StreamingClassify", [StreamingClassifyRequest(chunk=b"1234")]),
}


@pytest.mark.parametrize("kind", FAILING)
def test_a_connection_on_which_all_fails(server: RunningServer, kind: str) -> None:
    """However many calls of a connection fail, it takes the next: none of them keeps its place there."""
    method, messages = FAILING[kind]
    content = [message.SerializeToString() for message in messages]
    # What the client would do again by itself is to be seen.
    with grpc.insecure_channel(server.address, [("grpc.enable_retries", 0)]) as channel:
        opening: Any = channel.stream_stream
        call = opening(f"/segue.v1.ClassificationService/{method}")
        codes = Counter(call(iter(content), timeout=60).code().name for _ in range(700))
    assert {"UNIMPLEMENTED" if method == "Nothing" else "INVALID_ARGUMENT": 700} == codes


def test_oversized_metadata(stubs: Stubs) -> None:
    """Metadata of megabytes is refused, and the next call is answered."""
    service = classification_service_pb2_grpc.ClassificationServiceStub(stubs.channel)
    with pytest.raises(grpc.RpcError) as error:
        service.Classify(classification_service_pb2.ClassifyRequest(), metadata=(("x-harm", "a" * 2**20),), timeout=60)
    assert grpc.StatusCode.RESOURCE_EXHAUSTED == error.value.code()
    assert stubs.classify(wav(5)).scores


def test_a_bomb_of_compressed_bytes(stubs: Stubs) -> None:
    """A compressed message, of which a megabyte may be a gigabyte, is refused before it is unpacked."""
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
def test_no_message(stubs: Stubs, method: str) -> None:
    """A call whose caller is done before a message is answered, and does not wait for ever."""
    opening: Any = stubs.channel.stream_stream
    with pytest.raises(grpc.RpcError) as error:
        list(opening(f"/{method}")(iter([]), timeout=60))
    assert ("INVALID_ARGUMENT", "MALFORMED_REQUEST") == failure(error)[:2]


def test_reflection_without_end(stubs: Stubs) -> None:
    """Who asks what there is, and stays, takes no more places than there are for that, and none of the others'."""
    over = threading.Event()
    opening: Any = stubs.channel.stream_stream
    calls = [opening("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo") for _ in range(MAX_STREAMS + 1)]
    asked = [call(until(over), timeout=60) for call in calls]
    wait_until(lambda: any(call.done() for call in asked))
    (refused,) = [call for call in asked if call.done()]
    with pytest.raises(grpc.RpcError) as error:
        list(refused)
    assert ("RESOURCE_EXHAUSTED", "OVERLOADED") == failure(error)[:2]
    over.set()
    assert [[]] * MAX_STREAMS == [list(call) for call in asked if call is not refused]


def until(over: threading.Event) -> Iterator[bytes]:
    """Nothing, for as long as it is not over."""
    over.wait(60)
    yield from ()


@pytest.mark.parametrize("method", ["Classify", "StreamingClassify"])
def test_bytes_that_are_no_message(stubs: Stubs, method: str) -> None:
    """What is no message of the contract is the caller's mistake, and counted and logged as one."""
    opening: Any = stubs.channel.stream_stream
    call = opening(f"/segue.v1.ClassificationService/{method}")
    with pytest.raises(grpc.RpcError) as error:
        list(call(iter([b"\xff\xff"]), timeout=60))
    assert ("INVALID_ARGUMENT", "MALFORMED_REQUEST") == failure(error)[:2]
