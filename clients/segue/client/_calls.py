"""The unary calls of the contract, built once for both kinds of client."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp

from segue.client._audio import AudioSource, audio_message
from segue.client._endpoint import Call
from segue.client.errors import MalformedRequestError
from segue.v1.catalog_service_pb2 import (
    BatchGetTracksRequest,
    BatchGetTracksResponse,
    GetStatusRequest,
    GetStatusResponse,
    GetTrackRequest,
    GetTrackResponse,
    ListTracksRequest,
    ListTracksResponse,
    SearchTracksRequest,
    SearchTracksResponse,
)
from segue.v1.classification_service_pb2 import ClassifyRequest, ClassifyResponse
from segue.v1.feedback_service_pb2 import FeedbackKind, RecordFeedbackRequest, RecordFeedbackResponse
from segue.v1.recommendation_service_pb2 import (
    ContinueRequest,
    ContinueResponse,
    FindPathRequest,
    FindPathResponse,
    RecommendRequest,
    RecommendResponse,
    Seed,
    TrackFilter,
    Variety,
)

RecommendCall: TypeAlias = Call[RecommendRequest, RecommendResponse]

AnySeed: TypeAlias = AudioSource | str | list[Seed] | tuple[Seed, ...]
"""A clip, the id of a track, or several seeds with their weights."""

TRACK_ID = re.compile(r"[0-9a-f]{32}|external:.+", re.DOTALL)
"""The form of a track id, or of an external id in its place."""

SeedSource: TypeAlias = AudioSource | str | Seed
"""A clip, the id of a track, or a `segue.v1` Seed message, such as one with a genre or a weight."""

FeedbackAction: TypeAlias = Literal["played", "skipped", "liked", "disliked"]
"""An action of a user."""

# A backslash of a file name, in front of what looks like an escape of the indexer.
_LIKE_ESCAPE = re.compile(rb"\\(?=x(?:5c|[89a-f][0-9a-f]))")
_INT32_MIN, _INT32_MAX = -(2**31), 2**31 - 1


def classify(
    audio: AudioSource, top_k: int | None = None, read_mask: Iterable[str] | None = None
) -> Call[ClassifyRequest, ClassifyResponse]:
    """Builds a Classify call."""
    request = ClassifyRequest(audio=audio_message(audio), top_k=clamp_int32(top_k), read_mask=field_mask(read_mask))
    return Call(lambda stubs: stubs.classification.Classify, request)


def recommend(seed: AnySeed, request: RecommendRequest) -> RecommendCall:
    """Builds a Recommend call from a seed, or several, and a request without seeds.

    Raises:
        MalformedRequestError: the seed is a str that is the name of a file and no track id.
    """
    seeded = RecommendRequest()
    seeded.CopyFrom(request)
    if isinstance(seed, str):
        _check_no_file_name(seed)
        seeded.track_id = replace_surrogates(seed)
    elif isinstance(seed, (list, tuple)):
        seeded.seeds.extend(seed)
    else:
        seeded.audio.CopyFrom(audio_message(seed))
    return Call(lambda stubs: stubs.recommendation.Recommend, seeded)


def recommend_track(request: RecommendRequest, track_id: str) -> RecommendCall:
    """Builds a Recommend call for a track, from a request without a seed."""
    seeded = RecommendRequest(track_id=track_id)
    seeded.MergeFrom(request)
    return Call(lambda stubs: stubs.recommendation.Recommend, seeded)


def recommend_request(
    limit: int | None,
    read_mask: Iterable[str] | None,
    offset: int | None = None,
    track_filter: TrackFilter | None = None,
    variety: Variety | None = None,
) -> RecommendRequest:
    """Builds a request without its seed."""
    return RecommendRequest(
        limit=clamp_int32(limit),
        read_mask=field_mask(read_mask),
        offset=clamp_int32(offset),
        filter=track_filter,
        variety=variety,
    )


def continue_list(
    items: Iterable[SeedSource],
    half_life: float | None = None,
    limit: int | None = None,
    track_filter: TrackFilter | None = None,
    variety: Variety | None = None,
) -> Call[ContinueRequest, ContinueResponse]:
    """Builds a Continue call.

    Raises:
        MalformedRequestError: an item is a str that is the name of a file and no track id.
        TypeError: the items are one string, whose letters would become items.
    """
    if isinstance(items, str):
        raise TypeError(f"items is a list such as [{items!r}], not a str")
    request = ContinueRequest(
        items=map(seed_message, items),
        half_life=half_life,
        limit=clamp_int32(limit),
        filter=track_filter,
        variety=variety,
    )
    return Call(lambda stubs: stubs.playlist.Continue, request)


def find_path(
    start: SeedSource,
    end: SeedSource,
    length: int | None = None,
    track_filter: TrackFilter | None = None,
    variety: Variety | None = None,
) -> Call[FindPathRequest, FindPathResponse]:
    """Builds a FindPath call.

    Raises:
        MalformedRequestError: an end is a str that is the name of a file and no track id.
    """
    request = FindPathRequest(
        start=seed_message(start),
        end=seed_message(end),
        length=clamp_int32(length),
        filter=track_filter,
        variety=variety,
    )
    return Call(lambda stubs: stubs.playlist.FindPath, request)


def seed_message(source: SeedSource) -> Seed:
    """Returns one seed of several.

    Raises:
        AudioUnreadableError: its file cannot be read.
        AudioTooLongError: its clip has more than MAX_AUDIO_BYTES.
        MalformedRequestError: it is a str that is the name of a file and no track id.
    """
    if isinstance(source, Seed):
        return source
    if isinstance(source, str):
        _check_no_file_name(source)
        return Seed(track_id=replace_surrogates(source))
    return Seed(audio=audio_message(source))


def get_track(track: str | os.PathLike[str]) -> Call[GetTrackRequest, GetTrackResponse]:
    """Builds a GetTrack call, for an id or for a path, which is made absolute."""
    if isinstance(track, str):
        _check_no_file_name(track)
        request = GetTrackRequest(track_id=replace_surrogates(track))
    else:
        request = GetTrackRequest(path=catalogue_path(track))
    return Call(lambda stubs: stubs.catalog.GetTrack, request)


def batch_get_tracks(track_ids: Iterable[str]) -> Call[BatchGetTracksRequest, BatchGetTracksResponse]:
    """Builds a BatchGetTracks call.

    Raises:
        TypeError: the ids are one string, whose letters would become ids.
    """
    if isinstance(track_ids, str):
        raise TypeError(f"track_ids is a list of ids such as [{track_ids!r}], not a str")
    request = BatchGetTracksRequest(track_ids=map(replace_surrogates, track_ids))
    return Call(lambda stubs: stubs.catalog.BatchGetTracks, request)


def search_tracks(
    query: str, page_size: int | None, page_token: str = ""
) -> Call[SearchTracksRequest, SearchTracksResponse]:
    """Builds a SearchTracks call, for the first page unless there is a token."""
    request = SearchTracksRequest(
        query=replace_surrogates(query), page_size=clamp_int32(page_size) or 0, page_token=page_token
    )
    return Call(lambda stubs: stubs.catalog.SearchTracks, request)


def list_tracks(page_size: int | None, page_token: str = "") -> Call[ListTracksRequest, ListTracksResponse]:
    """Builds a ListTracks call, for the first page unless there is a token."""
    request = ListTracksRequest(page_size=clamp_int32(page_size) or 0, page_token=page_token)
    return Call(lambda stubs: stubs.catalog.ListTracks, request)


def next_page(
    call: Call[ListTracksRequest, ListTracksResponse], page: ListTracksResponse
) -> Call[ListTracksRequest, ListTracksResponse] | None:
    """Builds the call for the page after a page, or None after the last."""
    return list_tracks(call.request.page_size, page.next_page_token) if page.next_page_token else None


def next_matches(
    call: Call[SearchTracksRequest, SearchTracksResponse], page: SearchTracksResponse
) -> Call[SearchTracksRequest, SearchTracksResponse] | None:
    """Builds the call for the page after a page of a search, or None after the last."""
    request, token = call.request, page.next_page_token
    return search_tracks(request.query, request.page_size, token) if token else None


def status() -> Call[GetStatusRequest, GetStatusResponse]:
    """Builds a GetStatus call."""
    return Call(lambda stubs: stubs.catalog.GetStatus, GetStatusRequest())


def record_feedback(
    user_id: str, track_id: str, kind: FeedbackAction, time: datetime | None
) -> Call[RecordFeedbackRequest, RecordFeedbackResponse]:
    """Builds a RecordFeedback call; without a time, for now.

    Raises:
        ValueError: the kind is unknown, or the time has no time zone.
    """
    if kind not in get_args(FeedbackAction):
        raise ValueError(f"kind is played, skipped, liked or disliked, not {kind!r}")
    if time is not None and time.tzinfo is None:
        raise ValueError("time has no time zone; write datetime(..., tzinfo=UTC), or time.astimezone()")
    moment = Timestamp()
    moment.FromDatetime(time or datetime.now(UTC))
    user, track = replace_surrogates(user_id), replace_surrogates(track_id)
    number = FeedbackKind.Value(f"FEEDBACK_KIND_{kind.upper()}")
    request = RecordFeedbackRequest(user_id=user, track_id=track, kind=number, time=moment)
    return Call(lambda stubs: stubs.feedback.RecordFeedback, request)


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
    return None if paths is None else FieldMask(paths=map(replace_surrogates, paths))


def looks_like_a_file(text: str) -> bool:
    """Returns whether text that is no track id has a folder or an ending, as the names of files do."""
    return not TRACK_ID.fullmatch(text) and (os.sep in text or bool(Path(text).suffix))


def _check_no_file_name(track_id: str) -> None:
    if looks_like_a_file(track_id):
        raise MalformedRequestError(
            f"{track_id!r} is not a track id, which has 32 lower-case hexadecimal digits. To name a file, write "
            f"pathlib.Path({track_id!r}).",
            field="track_id",
        )


def catalogue_path(path: os.PathLike[str]) -> str:
    """Returns an absolute path as the indexer writes it: a byte that is not UTF-8 as backslash, x and two digits.

    A path with such an escape is one that Segue printed, unless a file of this very name exists here.
    """
    absolute = os.path.abspath(path)  # noqa: PTH100 - as the indexer, it keeps the names of links
    name = os.fsencode(absolute)
    if os.path.lexists(absolute):
        name = _LIKE_ESCAPE.sub(rb"\\x5c", name)
    return name.decode("utf-8", "backslashreplace")


def replace_surrogates(text: str) -> str:
    """Replaces the surrogates that Python makes of undecodable arguments, which protobuf refuses; no id has them."""
    return text.encode("utf-8", "replace").decode("utf-8")
