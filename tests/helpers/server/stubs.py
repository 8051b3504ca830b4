"""Calls to a server, by the generated stubs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from segue.v1 import (
    audio_pb2,
    catalog_service_pb2,
    catalog_service_pb2_grpc,
    classification_service_pb2,
    classification_service_pb2_grpc,
    feedback_service_pb2,
    feedback_service_pb2_grpc,
    recommendation_service_pb2,
    recommendation_service_pb2_grpc,
)
from segue.v1.classification_service_pb2 import BatchClassifyRequest, StreamingClassifyRequest
from segue.v1.recommendation_service_pb2 import RecommendUploadRequest, StreamingRecommendRequest

UNLIMITED = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]


class Stubs:
    """Every service of a server.

    Attributes:
        channel: the channel to the server.
    """

    def __init__(self, address: str) -> None:
        self.channel = grpc.insecure_channel(address, UNLIMITED)
        self._classification = classification_service_pb2_grpc.ClassificationServiceStub(self.channel)
        self._recommendation = recommendation_service_pb2_grpc.RecommendationServiceStub(self.channel)
        self._playlist = recommendation_service_pb2_grpc.PlaylistServiceStub(self.channel)
        self._catalog = catalog_service_pb2_grpc.CatalogServiceStub(self.channel)
        self._feedback = feedback_service_pb2_grpc.FeedbackServiceStub(self.channel)
        self._health = health_pb2_grpc.HealthStub(self.channel)

    def classify(
        self, content: bytes, top_k: int | None = None, read_mask: Sequence[str] = ()
    ) -> classification_service_pb2.ClassifyResponse:
        """Classifies the bytes of a file."""
        request = classification_service_pb2.ClassifyRequest(
            audio=audio_pb2.Audio(content=content), top_k=top_k, read_mask=FieldMask(paths=read_mask)
        )
        return self._classification.Classify(request, timeout=60)

    def streaming_classify(self, requests: Iterable[StreamingClassifyRequest]) -> Any:  # noqa: ANN401 - an iterator that is a call too
        """Classifies a clip that is sent in chunks."""
        return self._classification.StreamingClassify(iter(requests), timeout=120)

    def batch_classify(self, requests: Iterable[BatchClassifyRequest]) -> Any:  # noqa: ANN401 - likewise
        """Classifies many clips."""
        return self._classification.BatchClassify(iter(requests), timeout=120)

    def recommend(
        self, seed: bytes | str, limit: int | None = None, read_mask: Sequence[str] = (), offset: int | None = None
    ) -> recommendation_service_pb2.RecommendResponse:
        """Recommends tracks for the bytes of a file or for a track id."""
        request = recommendation_service_pb2.RecommendRequest(
            limit=limit, read_mask=FieldMask(paths=read_mask), offset=offset
        )
        if isinstance(seed, bytes):
            request.audio.content = seed
        else:
            request.track_id = seed
        return self.send_recommend(request)

    def send_recommend(
        self, request: recommendation_service_pb2.RecommendRequest
    ) -> recommendation_service_pb2.RecommendResponse:
        """Sends a whole request for recommendations."""
        return self._recommendation.Recommend(request, timeout=60)

    def continue_list(
        self, request: recommendation_service_pb2.ContinueRequest
    ) -> recommendation_service_pb2.ContinueResponse:
        """Continues a list."""
        return self._playlist.Continue(request, timeout=60)

    def find_path(
        self, request: recommendation_service_pb2.FindPathRequest
    ) -> recommendation_service_pb2.FindPathResponse:
        """Finds a path."""
        return self._playlist.FindPath(request, timeout=60)

    def recommend_upload(
        self, requests: Iterable[RecommendUploadRequest]
    ) -> recommendation_service_pb2.RecommendUploadResponse:
        """Recommends tracks for a clip that is sent in chunks."""
        return self._recommendation.RecommendUpload(iter(requests), timeout=120)

    def streaming_recommend(self, requests: Iterable[StreamingRecommendRequest]) -> Any:  # noqa: ANN401 - likewise
        """Recommends tracks for each of many seeds."""
        return self._recommendation.StreamingRecommend(iter(requests), timeout=120)

    def get_track(self, track_id: str = "", path: str = "") -> catalog_service_pb2.GetTrackResponse:
        """Reads a track."""
        return self._catalog.GetTrack(catalog_service_pb2.GetTrackRequest(track_id=track_id, path=path), timeout=60)

    def batch_get_tracks(self, track_ids: Sequence[str]) -> catalog_service_pb2.BatchGetTracksResponse:
        """Reads many tracks."""
        return self._catalog.BatchGetTracks(catalog_service_pb2.BatchGetTracksRequest(track_ids=track_ids), timeout=60)

    def search(self, query: str, page_size: int = 0, page_token: str = "") -> catalog_service_pb2.SearchTracksResponse:
        """Reads a page of the tracks that a query finds."""
        request = catalog_service_pb2.SearchTracksRequest(query=query, page_size=page_size, page_token=page_token)
        return self._catalog.SearchTracks(request, timeout=60)

    def list_tracks(self, page_size: int = 0, page_token: str = "") -> catalog_service_pb2.ListTracksResponse:
        """Reads a page of the catalogue."""
        request = catalog_service_pb2.ListTracksRequest(page_size=page_size, page_token=page_token)
        return self._catalog.ListTracks(request, timeout=60)

    def status(self) -> catalog_service_pb2.GetStatusResponse:
        """Reads the state of the server."""
        return self._catalog.GetStatus(catalog_service_pb2.GetStatusRequest(), timeout=60)

    def upsert_tracks(self, items: Iterable[catalog_service_pb2.UpsertTracksRequest], timeout: float = 120) -> Any:  # noqa: ANN401 - likewise
        """Adds or changes tracks, and returns the responses as they come."""
        return self._catalog.UpsertTracks(iter(items), timeout=timeout)

    def update_track(self, request: catalog_service_pb2.UpdateTrackRequest) -> catalog_service_pb2.UpdateTrackResponse:
        """Changes the metadata of a track."""
        return self._catalog.UpdateTrack(request, timeout=60)

    def delete_tracks(self, *track_ids: str) -> catalog_service_pb2.DeleteTracksResponse:
        """Deletes tracks."""
        return self._catalog.DeleteTracks(catalog_service_pb2.DeleteTracksRequest(track_ids=track_ids), timeout=60)

    def record_feedback(
        self, request: feedback_service_pb2.RecordFeedbackRequest
    ) -> feedback_service_pb2.RecordFeedbackResponse:
        """Records an action of a user."""
        return self._feedback.RecordFeedback(request, timeout=60)

    def health(self, service: str) -> int:
        """Reads the health of a service."""
        return int(self._health.Check(health_pb2.HealthCheckRequest(service=service), timeout=60).status)


def list_services(channel: grpc.Channel) -> None:
    """Lists the services of a server by reflection."""
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    list(reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(iter([request])))


def failure(call: pytest.ExceptionInfo[grpc.RpcError]) -> tuple[str, str, dict[str, object]]:
    """The code, the reason and the details of a failed call."""
    error = call.value
    assert isinstance(error, grpc.Call)
    trailing = {str(key): value for key, value in error.trailing_metadata() or ()}
    status = status_pb2.Status.FromString(trailing["grpc-status-details-bin"])
    types = (
        error_details_pb2.ErrorInfo,
        error_details_pb2.BadRequest,
        error_details_pb2.ResourceInfo,
        error_details_pb2.RetryInfo,
    )
    details: dict[str, object] = {}
    for packed in status.details:
        for detail in types:
            if packed.Is(detail.DESCRIPTOR):
                details[detail.__name__] = detail.FromString(packed.value)
    info = details["ErrorInfo"]
    assert isinstance(info, error_details_pb2.ErrorInfo)
    assert "segue.v1" == info.domain
    assert trailing["x-request-id"] == info.metadata["request_id"]
    return error.code().name, info.reason, details


def is_started(call: Callable[[], object]) -> bool:
    """True once a call is answered; before, a server says that it is starting."""
    try:
        call()
    except grpc.RpcError as error:
        if reason_of(error) != "STARTING":
            raise
        return False
    return True


def reason_of(error: grpc.RpcError) -> str:
    """The reason of a failed call."""
    return failure(pytest.ExceptionInfo.from_exception(error))[1]
