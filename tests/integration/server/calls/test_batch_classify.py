"""Genres of many clips over one stream."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.rpc import error_details_pb2

from segue.client import Client, Credentials
from segue.server.callers.quota import Quotas
from segue.server.rpc.streams import MAX_CONCURRENT_REQUESTS, MAX_STREAMS
from segue.server.security.tokens import new_token
from segue.v1.audio_pb2 import Audio
from segue.v1.classification_service_pb2 import BatchClassifyRequest, BatchClassifyResponse, ClassifyRequest
from tests.helpers.clips import wav
from tests.helpers.machine.processes import decoder, stopped
from tests.helpers.machine.waiting import PATIENCE_SECONDS, wait_until
from tests.helpers.server.servers import RunningServer, running_server
from tests.helpers.server.stubs import Stubs, reason_of

METHOD = "/segue.v1.ClassificationService/BatchClassify"
CLIP_LIMIT = 16 * 2**20


def items(contents: Iterable[bytes], top_k: int | None = None) -> Iterator[BatchClassifyRequest]:
    """Requests for clips, with numbers as their ids."""
    for number, content in enumerate(contents):
        request = ClassifyRequest(audio=Audio(content=content), top_k=top_k)
        yield BatchClassifyRequest(item_id=f"item {number}", request=request)


def reason(response: BatchClassifyResponse) -> str:
    """The reason why a clip failed, or "" if it did not."""
    info = error_details_pb2.ErrorInfo()
    for detail in response.status.details:
        if detail.Unpack(info):
            return str(info.reason)
    return ""


def in_flight(server: RunningServer) -> float:
    """The number of open streams."""
    return server.metrics().get(f'segue_requests_in_flight{{method="{METHOD}"}}', 0.0)


def test_responses_are_those_of_classify(stubs: Stubs, clips: list[Path]) -> None:
    """Each of 200 clips has one response, with its id and the scores that Classify returns."""
    contents = [clip.read_bytes() for clip in clips]
    expected = [stubs.classify(content, top_k=3) for content in contents]
    responses = list(stubs.batch_classify(items((contents * 200)[:200], top_k=3)))
    by_id = {response.item_id: response.response for response in responses}
    assert (200, 200) == (len(responses), len(by_id))
    for number in range(200):
        scores = expected[number % len(contents)].scores
        found = by_id[f"item {number}"]
        assert [score.genre for score in scores] == [score.genre for score in found.scores]
        assert pytest.approx([score.score for score in scores], abs=1e-4) == [score.score for score in found.scores]
        assert found.revision.model_id.startswith("tiny-")


def test_the_client_numbers_clips(server: RunningServer, clips: list[Path]) -> None:
    """The client returns each file with its place in the list."""
    with Client(server.address, timeout=PATIENCE_SECONDS) as client:
        outcomes = dict(client.batch_classify(clips, top_k=1))
        single = [client.classify(clip, top_k=1) for clip in clips[:3]]
    assert list(range(len(clips))) == sorted(outcomes)
    assert [each.scores[0].genre for each in single] == [outcomes[number].scores[0].genre for number in range(3)]  # type: ignore[union-attr] # none failed


def test_a_clip_fails_alone(stubs: Stubs) -> None:
    """A failed clip has its reason and the stream's request id, and the other clips succeed."""
    contents = [wav(5), b"", b"no music", wav(1), bytes(CLIP_LIMIT + 1), wav(6)]
    requests = [
        *items(contents),
        BatchClassifyRequest(item_id="item 6", request=ClassifyRequest(audio=Audio(content=wav(5)), top_k=0)),
        BatchClassifyRequest(
            item_id="item 7",
            request=ClassifyRequest(audio=Audio(content=wav(5)), read_mask=FieldMask(paths=["no.field"])),
        ),
        BatchClassifyRequest(item_id="item 8"),
        BatchClassifyRequest(item_id="item 9", request=ClassifyRequest(audio=Audio(content=wav(7)))),
    ]
    call = stubs.batch_classify(requests)
    responses = {item.item_id: item for item in call}
    assert [
        "",
        "MALFORMED_REQUEST",
        "AUDIO_UNDECODABLE",
        "AUDIO_TOO_SHORT",
        "AUDIO_TOO_LONG",
        "",
        "MALFORMED_REQUEST",
        "MALFORMED_REQUEST",
        "MALFORMED_REQUEST",
        "",
    ] == [reason(responses[f"item {number}"]) for number in range(len(requests))]
    assert (grpc.StatusCode.OK, 3) == (call.code(), responses["item 2"].status.code)
    assert dict(call.trailing_metadata())["x-request-id"] in str(responses["item 2"].status)
    assert responses["item 9"].response.scores


def test_no_clip(stubs: Stubs) -> None:
    """A stream without clips has no response."""
    assert [] == list(stubs.batch_classify([]))


def test_ids_of_the_caller(stubs: Stubs) -> None:
    """Two clips may have the same id, or none; an id that is too long is an error, and comes back truncated."""
    request = ClassifyRequest(audio=Audio(content=wav(5)))
    names = ["", "same", "same", "x" * 1_000]
    responses = list(stubs.batch_classify(BatchClassifyRequest(item_id=name, request=request) for name in names))
    assert sorted(["", "same", "same", "x" * 128]) == sorted(response.item_id for response in responses)
    assert ["x" * 128] == [each.item_id for each in responses if reason(each) == "MALFORMED_REQUEST"]


def test_responses_come_before_the_end(stubs: Stubs) -> None:
    """A clip is answered while its caller still sends others."""
    answered = threading.Event()

    def requests() -> Iterator[BatchClassifyRequest]:
        yield from items([wav(5)])
        assert answered.wait(PATIENCE_SECONDS)
        yield from items([wav(6)])

    responses = stubs.batch_classify(requests())
    assert next(responses).response.scores
    answered.set()
    assert 1 == len(list(responses))


def test_a_caller_who_leaves(server: RunningServer, stubs: Stubs) -> None:
    """Cancelling the call ends the clips in progress, and no more of them are read than are processed at once."""
    sent: list[int] = []

    def requests() -> Iterator[BatchClassifyRequest]:
        for number, item in enumerate(items([wav(30, rate=44_100)] * 100)):
            sent.append(number)
            yield item

    with stopped(decoder(server.process.pid)):
        call = stubs.batch_classify(requests())
        wait_until(lambda: 1 == in_flight(server))
        wait_until(lambda: len(sent) > MAX_CONCURRENT_REQUESTS)
        call.cancel()
        wait_until(lambda: 0 == in_flight(server))
        assert len(sent) < 3 * MAX_CONCURRENT_REQUESTS  # gRPC keeps a few that are sent and not read
    assert stubs.classify(wav(5)).scores


def test_a_caller_who_reads_slowly(stubs: Stubs, clips: list[Path]) -> None:
    """A caller who reads nothing for a while receives all responses later, also if they fill the connection."""
    contents = [clips[0].read_bytes()] * 40
    mask = FieldMask(paths=["*"])
    requests = [
        BatchClassifyRequest(
            item_id=str(number), request=ClassifyRequest(audio=Audio(content=content), top_k=100, read_mask=mask)
        )
        for number, content in enumerate(contents)
    ]
    call = stubs.batch_classify(requests)
    first = next(call)
    threading.Event().wait(3)
    ids = {first.item_id, *(response.item_id for response in call)}
    assert {str(number) for number in range(40)} == ids


def test_a_deadline(server: RunningServer, stubs: Stubs) -> None:
    """A deadline ends the stream with its clips, and the next call succeeds."""
    opening: Any = stubs.channel.stream_stream
    messages = iter([item.SerializeToString() for item in items([wav(20)] * 20)])
    with stopped(decoder(server.process.pid)), pytest.raises(grpc.RpcError) as error:
        list(opening(METHOD)(messages, timeout=0.5))
    assert isinstance(error.value, grpc.Call)
    assert grpc.StatusCode.DEADLINE_EXCEEDED is error.value.code()
    wait_until(lambda: 0 == in_flight(server))
    assert stubs.classify(wav(5)).scores


def test_too_many_streams(server: RunningServer, stubs: Stubs) -> None:
    """A stream above the limit is refused, and the others go on."""
    over = threading.Event()

    def waiting() -> Iterator[BatchClassifyRequest]:
        over.wait(PATIENCE_SECONDS)
        yield from items([wav(5)])

    calls = [stubs.batch_classify(waiting()) for _ in range(MAX_STREAMS)]
    wait_until(lambda: MAX_STREAMS == in_flight(server))
    with pytest.raises(grpc.RpcError) as error:
        list(stubs.batch_classify(items([wav(5)])))
    assert "OVERLOADED" == reason_of(error.value)
    over.set()
    assert [1] * MAX_STREAMS == [len(list(call)) for call in calls]


def test_tokens(tmp_path: Path, tiny_model: Path) -> None:
    """The scope classify permits the stream, another one does not, and each clip counts for the rate of a token."""
    made = {
        "player": new_token("player", ["classify"]),
        "reader": new_token("reader", ["read"]),
        "slow": new_token("slow", ["classify"], Quotas(rate=0.3)),
    }
    (tmp_path / "tokens.toml").write_text("".join(f"{grant.line}\n" for _, grant in made.values()))
    options = ("--data", str(tmp_path), "--model", str(tiny_model), "--tokens", str(tmp_path / "tokens.toml"))
    with running_server(*options) as running:
        ends = {name: classify_with(running, token) for name, (token, _) in made.items()}
    assert (["ok"] * 6, ["TOKEN_SCOPE"]) == (ends["player"], ends["reader"])
    assert {"ok", "QUOTA_EXCEEDED"} == set(ends["slow"])


def classify_with(server: RunningServer, token: str) -> list[str]:
    """Sends six clips, and returns the reasons of those that failed, and "ok" for the others."""
    with Client(server.address, credentials=Credentials(token=token), timeout=PATIENCE_SECONDS) as client:
        try:
            outcomes = dict(client.batch_classify([wav(5)] * 6))
        except Exception as error:  # noqa: BLE001 - its reason is compared
            return [str(getattr(error, "reason", error))]
    return sorted(str(getattr(outcome, "reason", "ok")) for outcome in outcomes.values())
