"""The unary calls of the contract, built once for both kinds of client."""

from __future__ import annotations

from collections.abc import Iterable

from google.protobuf.field_mask_pb2 import FieldMask

from segue.client._audio import AudioSource, audio_message
from segue.client._endpoint import Call
from segue.v1.catalog_service_pb2 import (
    GetStatusRequest,
    GetStatusResponse,
    GetTrackRequest,
    GetTrackResponse,
    ListTracksRequest,
    ListTracksResponse,
)
from segue.v1.classification_service_pb2 import ClassifyRequest, ClassifyResponse
from segue.v1.recommendation_service_pb2 import RecommendRequest, RecommendResponse

_INT32_MIN, _INT32_MAX = -(2**31), 2**31 - 1


def classify(
    audio: AudioSource, top_k: int | None = None, read_mask: Iterable[str] | None = None
) -> Call[ClassifyRequest, ClassifyResponse]:
    """Builds a Classify call."""
    request = ClassifyRequest(audio=audio_message(audio), top_k=clamp_int32(top_k), read_mask=field_mask(read_mask))
    return Call(lambda stubs: stubs.classification.Classify, request)


def recommend(
    seed: AudioSource | str, limit: int | None = None, read_mask: Iterable[str] | None = None
) -> Call[RecommendRequest, RecommendResponse]:
    """Builds a Recommend call."""
    request = recommend_request(limit, read_mask)
    if isinstance(seed, str):
        request.track_id = _replace_surrogates(seed)
    else:
        request.audio.CopyFrom(audio_message(seed))
    return Call(lambda stubs: stubs.recommendation.Recommend, request)


def recommend_track(request: RecommendRequest, track_id: str) -> Call[RecommendRequest, RecommendResponse]:
    """Builds a Recommend call for a track, from a request without a seed."""
    seeded = RecommendRequest(track_id=track_id)
    seeded.MergeFrom(request)
    return Call(lambda stubs: stubs.recommendation.Recommend, seeded)


def recommend_request(limit: int | None, read_mask: Iterable[str] | None) -> RecommendRequest:
    """Builds a request without its seed."""
    return RecommendRequest(limit=clamp_int32(limit), read_mask=field_mask(read_mask))


def get_track(track_id: str) -> Call[GetTrackRequest, GetTrackResponse]:
    """Builds a GetTrack call."""
    return Call(lambda stubs: stubs.catalog.GetTrack, GetTrackRequest(track_id=_replace_surrogates(track_id)))


def list_tracks(page_size: int | None, page_token: str = "") -> Call[ListTracksRequest, ListTracksResponse]:
    """Builds a ListTracks call, for the first page unless there is a token."""
    request = ListTracksRequest(page_size=clamp_int32(page_size) or 0, page_token=page_token)
    return Call(lambda stubs: stubs.catalog.ListTracks, request)


def next_page(
    call: Call[ListTracksRequest, ListTracksResponse], page: ListTracksResponse
) -> Call[ListTracksRequest, ListTracksResponse] | None:
    """Builds the call for the page after a page, or None after the last."""
    return list_tracks(call.request.page_size, page.next_page_token) if page.next_page_token else None


def status() -> Call[GetStatusRequest, GetStatusResponse]:
    """Builds a GetStatus call."""
    return Call(lambda stubs: stubs.catalog.GetStatus, GetStatusRequest())


def clamp_int32(number: int | None) -> int | None:
    """Returns the nearest number that an int32 field holds; the server checks its own, narrower limits."""
    return None if number is None else max(_INT32_MIN, min(number, _INT32_MAX))


def field_mask(paths: Iterable[str] | None) -> FieldMask | None:
    """Builds a field mask; None leaves the fields to the server.

    Raises:
        TypeError: the paths are one string, whose letters would become fields.
    """
    if isinstance(paths, str):
        raise TypeError(f"read_mask is a list of fields such as [{paths!r}], not a str")
    return None if paths is None else FieldMask(paths=map(_replace_surrogates, paths))


def _replace_surrogates(text: str) -> str:
    """Replaces the surrogates that Python makes of undecodable arguments, which protobuf refuses; no id has them."""
    return text.encode("utf-8", "replace").decode("utf-8")
