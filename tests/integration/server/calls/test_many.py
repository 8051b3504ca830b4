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
from tests.helpers.server.stubs import Stubs


def items(requests: Iterable[RecommendRequest]) -> Iterator[StreamingRecommendRequest]:
    """The requests with numbers as their ids."""
    for number, request in enumerate(requests):
        yield StreamingRecommendRequest(item_id=f"item {number}", request=request)


def reason(response: StreamingRecommendResponse) -> str:
    """The reason why an item failed, or "" if it did not."""
    info = error_details_pb2.ErrorInfo()
    for detail in response.status.details:
        if detail.Unpack(info):
            return str(info.reason)
    return ""


def test_responses_are_those_of_recommend(stubs: Stubs, ids: list[str], clips: list[Path]) -> None:
    """Each id and clip has the response that Recommend returns, even with more items than run at once."""
    requests = [RecommendRequest(track_id=track_id, limit=3) for track_id in ids] * 5
    requests.insert(7, RecommendRequest(audio=Audio(content=clips[0].read_bytes()), limit=2))
    assert len(requests) > 3 * MAX_CONCURRENT_REQUESTS
    responses = {item.item_id: item.response for item in stubs.streaming_recommend(items(requests))}
    assert len(requests) == len(responses)
    assert stubs.recommend(clips[0].read_bytes(), limit=2) == responses["item 7"]
    assert stubs.recommend(ids[1], limit=3) == responses["item 1"]


def test_an_item_fails_alone(stubs: Stubs, ids: list[str]) -> None:
    """A failed item has its reason and the stream's request id, and the other items succeed."""
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
    responses = {item.item_id: item for item in call}
    assert [
        "",
        "MALFORMED_REQUEST",
        "TRACK_NOT_FOUND",
        "AUDIO_UNDECODABLE",
        "AUDIO_TOO_SHORT",
        "MALFORMED_REQUEST",
        "",
    ] == [reason(responses[f"item {number}"]) for number in range(len(requests))]
    assert (grpc.StatusCode.OK, 5) == (call.code(), responses["item 2"].status.code)
    request_id = dict(call.trailing_metadata())["x-request-id"]
    assert request_id in str(responses["item 2"].status)


def test_a_very_long_item_id(stubs: Stubs, ids: list[str]) -> None:
    """An item id that is too long is an error, and comes back truncated."""
    item = StreamingRecommendRequest(item_id="x" * 1_000, request=RecommendRequest(track_id=ids[0]))
    (response,) = stubs.streaming_recommend([item])
    assert ("MALFORMED_REQUEST", "x" * 128) == (reason(response), response.item_id)


def test_responses_come_before_the_end(stubs: Stubs, ids: list[str]) -> None:
    """An item is answered while its caller still sends others."""
    answered = threading.Event()

    def requests() -> Iterator[StreamingRecommendRequest]:
        yield from items([RecommendRequest(track_id=ids[0])])
        assert answered.wait(60)
        yield from items([RecommendRequest(track_id=ids[1])])

    responses = stubs.streaming_recommend(requests())
    assert next(responses).response.recommendations
    answered.set()
    assert 1 == len(list(responses))


def test_no_item(stubs: Stubs) -> None:
    """A stream without items has no response."""
    assert [] == list(stubs.streaming_recommend([]))
