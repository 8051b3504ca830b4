"""A real gRPC server for the client to call: it returns fixed responses, and fails or hangs as a test says."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc.status_pb2 import Status

from segue.client import AsyncClient, Client
from segue.v1.catalog_service_pb2 import (
    BatchGetTracksRequest,
    BatchGetTracksResponse,
    DeleteTracksRequest,
    DeleteTracksResponse,
    GetStatusRequest,
    GetStatusResponse,
    GetTrackRequest,
    GetTrackResponse,
    ListTracksRequest,
    ListTracksResponse,
    SearchTracksRequest,
    SearchTracksResponse,
    UpdateTrackRequest,
    UpdateTrackResponse,
    UpsertedTrack,
    UpsertTracksRequest,
    UpsertTracksResponse,
)
from segue.v1.catalog_service_pb2_grpc import CatalogServiceServicer, add_CatalogServiceServicer_to_server
from segue.v1.classification_service_pb2 import (
    BatchClassifyRequest,
    BatchClassifyResponse,
    ClassifyRequest,
    ClassifyResponse,
    StreamingClassifyRequest,
    StreamingClassifyResponse,
)
from segue.v1.classification_service_pb2_grpc import (
    ClassificationServiceServicer,
    add_ClassificationServiceServicer_to_server,
)
from segue.v1.feedback_service_pb2 import RecordFeedbackRequest, RecordFeedbackResponse
from segue.v1.feedback_service_pb2_grpc import FeedbackServiceServicer, add_FeedbackServiceServicer_to_server
from segue.v1.recommendation_service_pb2 import (
    ContinueRequest,
    ContinueResponse,
    FindPathRequest,
    FindPathResponse,
    Recommendation,
    RecommendRequest,
    RecommendResponse,
    RecommendUploadRequest,
    RecommendUploadResponse,
    StreamingRecommendRequest,
    StreamingRecommendResponse,
)
from segue.v1.recommendation_service_pb2_grpc import (
    PlaylistServiceServicer,
    RecommendationServiceServicer,
    add_PlaylistServiceServicer_to_server,
    add_RecommendationServiceServicer_to_server,
)
from tests.helpers.machine.waiting import PATIENCE_SECONDS
from tests.integration.client.answers import DETAILS, REVISION, SCORES, TRACKS
from tests.integration.client.behaviours import Behaviour, info, packed

LAST_CHUNK = b"last"
"""The chunk after which the peer ends a stream, although the client sends more."""

CallMethod: TypeAlias = Callable[..., Awaitable[Any]]
"""Calls a method of a client by address, name and arguments; a listing or a stream returns a list."""


@dataclass
class Peer(
    ClassificationServiceServicer,
    RecommendationServiceServicer,
    PlaylistServiceServicer,
    CatalogServiceServicer,
    FeedbackServiceServicer,
):
    """Returns fixed responses, and keeps every request.

    Attributes:
        address: the address of the server.
        behaviours: run at the start of the next calls, one for each.
        received: the requests of all attempts.
    """

    address: str = ""
    behaviours: list[Behaviour] = field(default_factory=list)
    received: list[Any] = field(default_factory=list)

    def RecordFeedback(  # noqa: N802 - the contract's name
        self, request: RecordFeedbackRequest, context: grpc.ServicerContext
    ) -> RecordFeedbackResponse:
        """Says that the action was recorded."""
        self._receive(request, context)
        return RecordFeedbackResponse(recorded=True, revision=REVISION)

    def Classify(self, request: ClassifyRequest, context: grpc.ServicerContext) -> ClassifyResponse:  # noqa: N802 - the contract's name
        """Returns the same scores for any audio, with every field, whatever the read mask."""
        self._receive(request, context)
        return ClassifyResponse(scores=SCORES, revision=REVISION, **DETAILS)

    def StreamingClassify(  # noqa: N802 - the contract's name
        self, request_iterator: Iterator[StreamingClassifyRequest], context: grpc.ServicerContext
    ) -> Iterator[StreamingClassifyResponse]:
        """Yields a window for each chunk, and the same scores after LAST_CHUNK or at the end."""
        for request in request_iterator:
            self._receive(request, context)
            if request.chunk == LAST_CHUNK:
                break
            if request.WhichOneof("part") == "chunk":
                yield StreamingClassifyResponse(window=DETAILS["timeline"][0], revision=REVISION)
        yield StreamingClassifyResponse(result=ClassifyResponse(scores=SCORES, revision=REVISION), revision=REVISION)

    def BatchClassify(  # noqa: N802 - the contract's name
        self, request_iterator: Iterator[BatchClassifyRequest], context: grpc.ServicerContext
    ) -> Iterator[BatchClassifyResponse]:
        """Yields the same scores for any clip, the last clip first; an empty clip is silent, b"busy" is refused."""
        for item in reversed(list(request_iterator)):
            self._receive(item, context)
            reason = {b"": "AUDIO_SILENT", b"busy": "OVERLOADED"}.get(item.request.audio.content)
            if reason:
                failed = Status(code=3, message="It failed.", details=[packed(info(reason, request_id="r-1"))])
                yield BatchClassifyResponse(item_id=item.item_id, status=failed)
            else:
                response = ClassifyResponse(scores=SCORES, revision=REVISION, **DETAILS)
                yield BatchClassifyResponse(item_id=item.item_id, response=response)

    def Recommend(self, request: RecommendRequest, context: grpc.ServicerContext) -> RecommendResponse:  # noqa: N802 - the contract's name
        """Returns the same tracks for any seed."""
        self._receive(request, context)
        ranking = [Recommendation(track=track, similarity=1 - 0.125 * rank) for rank, track in enumerate(TRACKS)]
        return RecommendResponse(recommendations=ranking, revision=REVISION)

    def Continue(self, request: ContinueRequest, context: grpc.ServicerContext) -> ContinueResponse:  # noqa: N802 - the contract's name
        """Returns the same tracks for any list."""
        self._receive(request, context)
        tracks = [Recommendation(track=track, similarity=0.5) for track in TRACKS]
        return ContinueResponse(tracks=tracks, revision=REVISION, limited=True)

    def FindPath(self, request: FindPathRequest, context: grpc.ServicerContext) -> FindPathResponse:  # noqa: N802 - the contract's name
        """Returns the same path between any ends."""
        self._receive(request, context)
        tracks = [Recommendation(track=track, similarity=0.75) for track in TRACKS]
        return FindPathResponse(tracks=tracks, revision=REVISION, greatest_step=45.0, mean_step=41.5)

    def RecommendUpload(  # noqa: N802 - the contract's name
        self, request_iterator: Iterator[RecommendUploadRequest], context: grpc.ServicerContext
    ) -> RecommendUploadResponse:
        """Returns the same tracks for any seed."""
        for request in request_iterator:
            self._receive(request, context)
        ranking = [Recommendation(track=TRACKS[0], similarity=1)]
        return RecommendUploadResponse(response=RecommendResponse(recommendations=ranking, revision=REVISION))

    def StreamingRecommend(  # noqa: N802 - the contract's name
        self, request_iterator: Iterator[StreamingRecommendRequest], context: grpc.ServicerContext
    ) -> Iterator[StreamingRecommendResponse]:
        """Yields the same tracks for any seed, the last seed first; a seed with an empty track id fails."""
        for request in reversed(list(request_iterator)):
            self._receive(request, context)
            if request.request.track_id:
                ranking = [Recommendation(track=TRACKS[0], similarity=1)]
                response = RecommendResponse(recommendations=ranking, revision=REVISION)
                yield StreamingRecommendResponse(item_id=request.item_id, response=response)
            else:
                missing = Status(
                    code=5, message="No track.", details=[packed(info("TRACK_NOT_FOUND", request_id="r-1"))]
                )
                yield StreamingRecommendResponse(item_id=request.item_id, status=missing)

    def GetTrack(self, request: GetTrackRequest, context: grpc.ServicerContext) -> GetTrackResponse:  # noqa: N802 - the contract's name
        """Returns the same track for any id."""
        self._receive(request, context)
        return GetTrackResponse(track=TRACKS[0])

    def ListTracks(self, request: ListTracksRequest, context: grpc.ServicerContext) -> ListTracksResponse:  # noqa: N802 - the contract's name
        """Returns pages; a token is the number of the first track of its page."""
        self._receive(request, context)
        start = int(request.page_token or 0)
        end = start + (request.page_size or 100)
        return ListTracksResponse(tracks=TRACKS[start:end], next_page_token=str(end) if end < len(TRACKS) else "")

    def BatchGetTracks(self, request: BatchGetTracksRequest, context: grpc.ServicerContext) -> BatchGetTracksResponse:  # noqa: N802 - the contract's name
        """Returns the tracks that exist, and the other ids."""
        self._receive(request, context)
        known = {track.track_id: track for track in TRACKS}
        return BatchGetTracksResponse(
            tracks=[known[track_id] for track_id in request.track_ids if track_id in known],
            missing_track_ids=[track_id for track_id in request.track_ids if track_id not in known],
            revision=REVISION,
        )

    def SearchTracks(self, request: SearchTracksRequest, context: grpc.ServicerContext) -> SearchTracksResponse:  # noqa: N802 - the contract's name
        """Returns pages of all tracks, whatever the query; a token is the number of the first track of its page."""
        self._receive(request, context)
        end = (start := int(request.page_token or 0)) + (request.page_size or 100)
        token = str(end) if end < len(TRACKS) else ""
        return SearchTracksResponse(tracks=TRACKS[start:end], next_page_token=token, match_count=len(TRACKS))

    def GetStatus(self, request: GetStatusRequest, context: grpc.ServicerContext) -> GetStatusResponse:  # noqa: N802 - the contract's name
        """Returns the same status."""
        self._receive(request, context)
        return GetStatusResponse(
            revision=REVISION, track_count=len(TRACKS), genres=["blues", "jazz"], server_version="0.1.0"
        )

    def UpsertTracks(  # noqa: N802 - the contract's name
        self, request_iterator: Iterator[UpsertTracksRequest], context: grpc.ServicerContext
    ) -> Iterator[UpsertTracksResponse]:
        """Yields an added track for each item."""
        for request in request_iterator:
            self._receive(request, context)
            added = UpsertedTrack(track_id=TRACKS[0].track_id, revision=REVISION)
            yield UpsertTracksResponse(external_id=request.external_id, response=added)

    def UpdateTrack(self, request: UpdateTrackRequest, context: grpc.ServicerContext) -> UpdateTrackResponse:  # noqa: N802 - the contract's name
        """Returns the same track."""
        self._receive(request, context)
        return UpdateTrackResponse(track=TRACKS[0], revision=REVISION)

    def DeleteTracks(self, request: DeleteTracksRequest, context: grpc.ServicerContext) -> DeleteTracksResponse:  # noqa: N802 - the contract's name
        """Finds no track."""
        self._receive(request, context)
        return DeleteTracksResponse(missing_track_ids=request.track_ids, revision=REVISION)

    def _receive(self, request: Message, context: grpc.ServicerContext) -> None:
        self.received.append(request)
        if self.behaviours:
            self.behaviours.pop(0)(context)


@contextmanager
def serving(
    kind: type[Peer] = Peer,
    *,
    tls: grpc.ServerCredentials | None = None,
    max_receive_bytes: int = 32 * 2**20,
    max_calls: int | None = None,
) -> Iterator[Peer]:
    """Runs a peer on a port of its own, in plain text unless TLS credentials are given."""
    options = [("grpc.max_receive_message_length", max_receive_bytes)]
    server = grpc.server(ThreadPoolExecutor(4), options=options, maximum_concurrent_rpcs=max_calls)
    port = server.add_secure_port("127.0.0.1:0", tls) if tls else server.add_insecure_port("127.0.0.1:0")
    peer = kind(address=f"127.0.0.1:{port}")
    add_ClassificationServiceServicer_to_server(peer, server)
    add_RecommendationServiceServicer_to_server(peer, server)
    add_PlaylistServiceServicer_to_server(peer, server)
    add_CatalogServiceServicer_to_server(peer, server)
    add_FeedbackServiceServicer_to_server(peer, server)
    server.start()
    try:
        yield peer
    finally:
        server.stop(None).wait()


@pytest.fixture
def peer() -> Iterator[Peer]:
    """A peer that succeeds unless a test adds behaviours."""
    with serving() as running:
        yield running


async def _call_plain(address: str, method: str, *args: Any, timeout: float = PATIENCE_SECONDS, **kwargs: Any) -> Any:  # noqa: ANN401, ASYNC109 - of any method
    def call() -> Any:  # noqa: ANN401 - of any method
        with Client(address, timeout=timeout) as client:
            response = getattr(client, method)(*args, **kwargs)
            return list(response) if isinstance(response, Iterator) else response

    return await asyncio.to_thread(call)


async def _call_asyncio(address: str, method: str, *args: Any, timeout: float = PATIENCE_SECONDS, **kwargs: Any) -> Any:  # noqa: ANN401, ASYNC109 - of any method
    async with AsyncClient(address, timeout=timeout) as client:
        response = getattr(client, method)(*args, **kwargs)
        return [item async for item in response] if inspect.isasyncgen(response) else await response


@pytest.fixture(params=[_call_plain, _call_asyncio], ids=["plain", "asyncio"])
def call(request: pytest.FixtureRequest) -> CallMethod:
    """Calls a method of the plain client and of the asyncio client, so that one test checks both."""
    call_method: CallMethod = request.param
    return call_method
