"""Recommendations for many seeds over one stream."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

import grpc
from google.rpc import error_details_pb2

from segue.server.rpc.streams import MAX_CONCURRENT_REQUESTS
from segue.v1.audio_pb2 import Audio
from segue.v1.recommendation_service_pb2 import (
    RecommendRequest,
    StreamingRecommendRequest,
    StreamingRecommendResponse,
)
from tests.helpers.clips import wav
from tests.helpers.stubs import Stubs


def items(requests: Iterable[RecommendRequest]) -> Iterator[StreamingRecommendRequest]:
    """Requests, numbered."""
    for number, request in enumerate(requests):
        yield StreamingRecommendRequest(item_id=f"item {number}", request=request)


def reason(answer: StreamingRecommendResponse) -> str:
    """Why an item failed, or nothing where it did not."""
    info = error_details_pb2.ErrorInfo()
    for detail in answer.status.details:
        if detail.Unpack(info):
            return str(info.reason)
    return ""


def test_each_is_answered_as_by_recommend(stubs: Stubs, ids: list[str], clips: list[Path]) -> None:
    """Ids and clips, more than are worked on at once, have the answers that Recommend gives them."""
    requests = [RecommendRequest(track_id=track_id, limit=3) for track_id in ids] * 5
    requests.insert(7, RecommendRequest(audio=Audio(content=clips[0].read_bytes()), limit=2))
    assert len(requests) > 3 * MAX_CONCURRENT_REQUESTS
    answers = {answer.item_id: answer.response for answer in stubs.streaming_recommend(items(requests))}
    assert len(requests) == len(answers)
    assert stubs.recommend(clips[0].read_bytes(), limit=2) == answers["item 7"]
    assert stubs.recommend(ids[1], limit=3) == answers["item 1"]


def test_an_item_fails_alone(stubs: Stubs, ids: list[str]) -> None:
    """What is wrong with an item is told with its reason and the stream's request id; the others are answered."""
    requests = [
        RecommendRequest(track_id=ids[0]),
        RecommendRequest(),
        RecommendRequest(track_id="0" * 32),
        RecommendRequest(audio=Audio(content=b"no music")),
        RecommendRequest(audio=Audio(content=wav(1))),
        RecommendRequest(track_id=ids[1], limit=0),
        RecommendRequest(track_id=ids[2]),
    ]
    call = stubs.streaming_recommend(items(requests))
    answers = {answer.item_id: answer for answer in call}
    assert [
        "",
        "MALFORMED_REQUEST",
        "TRACK_NOT_FOUND",
        "AUDIO_UNDECODABLE",
        "AUDIO_TOO_SHORT",
        "MALFORMED_REQUEST",
        "",
    ] == [reason(answers[f"item {number}"]) for number in range(len(requests))]
    assert (grpc.StatusCode.OK, 5) == (call.code(), answers["item 2"].status.code)
    request_id = dict(call.trailing_metadata())["x-request-id"]
    assert request_id in str(answers["item 2"].status)


def test_an_endless_name(stubs: Stubs, ids: list[str]) -> None:
    """A name that is too long is refused, and comes back cut off."""
    item = StreamingRecommendRequest(item_id="x" * 1_000, request=RecommendRequest(track_id=ids[0]))
    (answer,) = stubs.streaming_recommend([item])
    assert ("MALFORMED_REQUEST", "x" * 128) == (reason(answer), answer.item_id)


def test_answers_come_before_the_end(stubs: Stubs, ids: list[str]) -> None:
    """An item is answered while the caller has more to send."""
    answered = threading.Event()

    def slowly() -> Iterator[StreamingRecommendRequest]:
        yield from items([RecommendRequest(track_id=ids[0])])
        assert answered.wait(60)
        yield from items([RecommendRequest(track_id=ids[1])])

    answers = stubs.streaming_recommend(slowly())
    assert next(answers).response.recommendations
    answered.set()
    assert 1 == len(list(answers))


def test_nothing_asked(stubs: Stubs) -> None:
    """A stream of no requests has no answers."""
    assert [] == list(stubs.streaming_recommend([]))
