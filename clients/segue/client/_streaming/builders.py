"""The streaming calls of the contract, built once for both kinds of client."""

from __future__ import annotations

import itertools
import os
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TypeAlias, TypeVar

from google.protobuf.field_mask_pb2 import FieldMask

from segue.client._audio import AudioSource, Clip
from segue.client._calls import AnySeed, clamp_int32, classify, field_mask, recommend
from segue.client._endpoint import MAX_TIMEOUT, Request
from segue.client._error_mapping import from_status
from segue.client._streaming.calls import RecommendUpload, RequestMessages, Stream
from segue.client.errors import SegueError
from segue.v1.audio_pb2 import PcmFormat
from segue.v1.catalog_service_pb2 import UpsertedTrack, UpsertTracksRequest, UpsertTracksResponse
from segue.v1.classification_service_pb2 import (
    BatchClassifyRequest,
    BatchClassifyResponse,
    ClassifyResponse,
    StreamingClassifyConfig,
    StreamingClassifyRequest,
    StreamingClassifyResponse,
)
from segue.v1.recommendation_service_pb2 import (
    RecommendRequest,
    RecommendResponse,
    RecommendUploadConfig,
    RecommendUploadRequest,
    StreamingRecommendRequest,
    StreamingRecommendResponse,
)

Item = TypeVar("Item")

ItemResult: TypeAlias = tuple[str, UpsertedTrack | SegueError]
"""The external id of an item, with its track or its error."""

# They describe the clip that was sent, so a track of the catalogue has none.
_CLIP_FIELDS = {"quality_flags", "missing_seconds", "timeline", "*"}


class UnsentItems:
    """The items of a stream that could not be sent, with their errors; complete when the stream has ended."""

    def __init__(self) -> None:
        self._errors: list[tuple[int, SegueError]] = []

    def add(self, number: int, error: SegueError) -> None:
        """Adds the number of an item and its error."""
        self._errors.append((number, error))

    def __iter__(self) -> Iterator[tuple[int, SegueError]]:
        return iter(self._errors)


def streaming_classify(
    chunks: Iterable[bytes] | AsyncIterable[bytes],
    pcm: PcmFormat | None = None,
    top_k: int | None = None,
    read_mask: Iterable[str] | None = None,
    timeout: float = MAX_TIMEOUT,
    *,
    result_only: bool = False,
) -> Stream[StreamingClassifyRequest, StreamingClassifyResponse]:
    """Builds a StreamingClassify call.

    Raises:
        TypeError: the chunks are bytes, whose elements are no chunks.
    """
    if isinstance(chunks, bytes):
        raise TypeError("chunks are an iterable of bytes, not bytes: send [content], or call classify")
    config = StreamingClassifyConfig(
        pcm=pcm, top_k=clamp_int32(top_k), read_mask=field_mask(read_mask), result_only=result_only
    )
    first = StreamingClassifyRequest(config=config)
    requests = _map([first], chunks, lambda chunk: StreamingClassifyRequest(chunk=chunk))
    messages = RequestMessages(StreamingClassifyRequest, requests)
    return Stream(lambda stubs: stubs.classification.StreamingClassify, messages, timeout)


def batch_classify(
    clips: Iterable[AudioSource] | AsyncIterable[AudioSource],
    top_k: int | None = None,
    read_mask: Iterable[str] | None = None,
    timeout: float = MAX_TIMEOUT,
) -> tuple[Stream[BatchClassifyRequest, BatchClassifyResponse], UnsentItems]:
    """Builds a BatchClassify call, and a list for the clips that cannot be sent; the item ids are numbers.

    Raises:
        TypeError: the clips are a single clip.
    """
    if isinstance(clips, (str, bytes, os.PathLike)):
        raise TypeError("clips are an iterable of clips, not one clip: send [clip], or call classify")
    fields = field_mask(read_mask)

    def make_request(item_id: str, clip: AudioSource) -> BatchClassifyRequest:
        request = classify(clip, top_k, fields and fields.paths).request
        return BatchClassifyRequest(item_id=item_id, request=request)

    items, unsent = _numbered(clips, make_request)
    messages = RequestMessages(BatchClassifyRequest, items)
    return Stream(lambda stubs: stubs.classification.BatchClassify, messages, timeout), unsent


def streaming_recommend(
    seeds: Iterable[AnySeed] | AsyncIterable[AnySeed], request: RecommendRequest, timeout: float = MAX_TIMEOUT
) -> tuple[Stream[StreamingRecommendRequest, StreamingRecommendResponse], UnsentItems]:
    """Builds a StreamingRecommend call, and a list for the seeds that cannot be sent; the item ids are numbers.

    Raises:
        TypeError: the seeds are a single seed.
    """
    if isinstance(seeds, (str, bytes, os.PathLike)):
        raise TypeError("seeds are an iterable of seeds, not one seed: send [seed], or call recommend")

    def make_request(item_id: str, seed: AnySeed) -> StreamingRecommendRequest:
        return StreamingRecommendRequest(item_id=item_id, request=recommend(seed, request).request)

    items, unsent = _numbered(seeds, make_request)
    messages = RequestMessages(StreamingRecommendRequest, items)
    return Stream(lambda stubs: stubs.recommendation.StreamingRecommend, messages, timeout), unsent


def classified(response: BatchClassifyResponse) -> tuple[int, ClassifyResponse | SegueError]:
    """Returns the number of a clip, from 0, with its genres or its error."""
    if response.HasField("status"):
        return int(response.item_id), from_status(response.status)
    return int(response.item_id), response.response


def recommended(response: StreamingRecommendResponse) -> tuple[int, RecommendResponse | SegueError]:
    """Returns the number of a seed, from 0, with its recommendations or its error."""
    if response.HasField("status"):
        return int(response.item_id), from_status(response.status)
    return int(response.item_id), response.response


def _numbered(
    items: Iterable[Item] | AsyncIterable[Item], make: Callable[[str, Item], Request]
) -> tuple[Iterable[Request] | AsyncIterable[Request], UnsentItems]:
    """Returns a message for each item, which gets its number as an id, and a list for those that cannot be made."""
    numbers, unsent = itertools.count(), UnsentItems()

    def make_numbered(item: Item) -> Request | None:
        number = next(numbers)
        try:
            return make(str(number), item)
        except SegueError as error:
            unsent.add(number, error)
            return None

    return _map([], items, make_numbered), unsent


def _map(
    first: Sequence[Request], items: Iterable[Item] | AsyncIterable[Item], make: Callable[[Item], Request | None]
) -> Iterable[Request] | AsyncIterable[Request]:
    """Returns the first messages and then one for each item, except None; asynchronous if the items are."""
    if isinstance(items, AsyncIterable):
        return _map_async(first, items, make)
    return itertools.chain(first, (message for item in items if (message := make(item)) is not None))


async def _map_async(
    first: Sequence[Request], items: AsyncIterable[Item], make: Callable[[Item], Request | None]
) -> AsyncIterator[Request]:
    for message in first:
        yield message
    async for item in items:
        if (made := make(item)) is not None:
            yield made


def track_id_of(clip: Clip, request: RecommendRequest) -> str | None:
    """Returns the track id of a clip, so that the clip need not be sent if it is in the catalogue.

    Returns:
        The id; None if the clip can be read only once, or fields of the response describe it.

    Raises:
        AudioUnreadableError: the file cannot be read.
    """
    return clip.track_id() if _CLIP_FIELDS.isdisjoint(request.read_mask.paths) else None


def classify_upload(
    chunks: Iterable[bytes] | AsyncIterable[bytes], top_k: int | None, fields: FieldMask | None, timeout: float
) -> Stream[StreamingClassifyRequest, StreamingClassifyResponse]:
    """Builds a call that classifies a large clip; its last response has the result.

    Args:
        chunks: the clip.
        top_k: number of genres to return.
        fields: fields of the response to return, or None for the default.
        timeout: time limit of the call in seconds.
    """
    stream = streaming_classify(chunks, None, top_k, fields and fields.paths, timeout, result_only=True)
    return replace(stream, waits=False)


def recommend_upload(
    chunks: Iterable[bytes] | AsyncIterable[bytes], request: RecommendRequest, timeout: float
) -> RecommendUpload:
    """Builds a call that recommends tracks for a large clip.

    Args:
        chunks: the clip.
        request: the request without its seed.
        timeout: time limit of the call in seconds.
    """
    first = RecommendUploadRequest(config=RecommendUploadConfig(request=request))
    messages = _map([first], chunks, lambda chunk: RecommendUploadRequest(chunk=chunk))
    return RecommendUpload(RequestMessages(RecommendUploadRequest, messages), timeout)


def upsert_tracks(
    items: Iterable[UpsertTracksRequest] | AsyncIterable[UpsertTracksRequest], timeout: float
) -> Stream[UpsertTracksRequest, UpsertTracksResponse]:
    """Builds an UpsertTracks call."""
    messages = RequestMessages(UpsertTracksRequest, items)
    return Stream(lambda stubs: stubs.catalog.UpsertTracks, messages, timeout)


def item_result(response: UpsertTracksResponse) -> ItemResult:
    """Returns the external id of an item, with its track or its error."""
    if response.HasField("status"):
        return response.external_id, from_status(response.status)
    return response.external_id, response.response
