"""The client for asyncio."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from contextlib import aclosing, closing, suppress
from functools import cached_property
from types import TracebackType
from typing import Self, cast

import grpc

from segue.client import _calls, _streams
from segue.client._audio import AudioSource, Clip, open_clip
from segue.client._calls import AnySeed
from segue.client._endpoint import (
    DEFAULT_ADDRESS,
    DEFAULT_TIMEOUT,
    MAX_TIMEOUT,
    Call,
    Endpoint,
    Request,
    Response,
    Stubs,
)
from segue.client._spans import call_span
from segue.client._stream_calls import Stream
from segue.client._stream_status import exchange
from segue.client._streams import numbered_outcome
from segue.client._waiting import Waiting
from segue.client.credentials import Credentials
from segue.client.errors import SegueError, TrackNotFoundError
from segue.v1.audio_pb2 import PcmFormat
from segue.v1.catalog_service_pb2 import (
    BatchGetTracksResponse,
    GetStatusResponse,
    ListTracksRequest,
    ListTracksResponse,
    SearchTracksRequest,
    SearchTracksResponse,
)
from segue.v1.classification_service_pb2 import ClassifyResponse, StreamingClassifyResponse
from segue.v1.recommendation_service_pb2 import RecommendRequest, RecommendResponse, TrackFilter, Variety
from segue.v1.track_pb2 import Track


class AsyncClient:
    """Calls a Segue server from asyncio, with the methods of `Client`.

    It may be created anywhere; its channel belongs to the event loop of the first call.

    Args:
        address: HOST:PORT of the server or of several, as for `Client`.
        timeout: time limit of a call in seconds, (0, 86400], retries included.
        wait_for_ready: True to wait, up to the timeout, for a server that is not there yet or is still starting; the
            logger `segue.client` says so.
        credentials: TLS and a token; None is plain text without a token.

    Raises:
        ValueError: the timeout is out of range, or the credentials cannot be used.
    """

    def __init__(
        self,
        address: str = DEFAULT_ADDRESS,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        wait_for_ready: bool = False,
        credentials: Credentials | None = None,
    ) -> None:
        self._endpoint = Endpoint(address, timeout, wait_for_ready, credentials or Credentials())

    async def classify(
        self, audio: AudioSource, *, top_k: int | None = None, read_mask: Iterable[str] | None = None
    ) -> ClassifyResponse:
        """Scores the genres of a clip; see `Client.classify`."""
        with closing(await asyncio.to_thread(open_clip, audio, self._endpoint.timeout)) as clip:
            if clip.is_large:
                return await self._classify_large(clip, top_k, read_mask)
            return await self._send(_calls.classify(clip.head, top_k, read_mask))

    def streaming_classify(
        self,
        chunks: Iterable[bytes] | AsyncIterable[bytes],
        *,
        pcm: PcmFormat | None = None,
        top_k: int | None = None,
        read_mask: Iterable[str] | None = None,
        stream_timeout: float = MAX_TIMEOUT,
    ) -> AsyncIterator[StreamingClassifyResponse]:
        """Scores the genres of a clip while it arrives; see `Client.streaming_classify`."""
        return self._stream(_streams.streaming_classify(chunks, pcm, top_k, read_mask, stream_timeout))

    async def recommend(
        self,
        seed: AnySeed,
        *,
        limit: int | None = None,
        offset: int | None = None,
        read_mask: Iterable[str] | None = None,
        track_filter: TrackFilter | None = None,
        variety: Variety | None = None,
    ) -> RecommendResponse:
        """Finds the tracks that sound most similar to a seed; see `Client.recommend`."""
        request = _calls.recommend_request(limit, read_mask, offset, track_filter, variety)
        if isinstance(seed, (str, list, tuple)):
            return await self._send(_calls.recommend(seed, request))
        with closing(await asyncio.to_thread(open_clip, seed, self._endpoint.timeout)) as clip:
            if clip.is_large:
                return await self._recommend_large(clip, request)
            return await self._send(_calls.recommend(clip.head, request))

    async def streaming_recommend(
        self,
        seeds: Iterable[AnySeed] | AsyncIterable[AnySeed],
        *,
        limit: int | None = None,
        offset: int | None = None,
        read_mask: Iterable[str] | None = None,
        track_filter: TrackFilter | None = None,
        variety: Variety | None = None,
        stream_timeout: float = MAX_TIMEOUT,
    ) -> AsyncIterator[tuple[int, RecommendResponse | SegueError]]:
        """Finds the tracks that sound most similar to each of many seeds; see `Client.streaming_recommend`."""
        request = _calls.recommend_request(limit, read_mask, offset, track_filter, variety)
        stream, unsent = _streams.streaming_recommend(seeds, request, stream_timeout)
        async for response in self._stream(stream):
            yield numbered_outcome(response)
        for number, error in unsent:
            yield number, error

    async def get_track(self, track: str | os.PathLike[str]) -> Track:
        """Returns a track of the catalogue, by its id or path; see `Client.get_track`."""
        return (await self._send(_calls.get_track(track))).track

    async def batch_get_tracks(self, track_ids: Iterable[str]) -> BatchGetTracksResponse:
        """Returns many tracks; see `Client.batch_get_tracks`."""
        return await self._send(_calls.batch_get_tracks(track_ids))

    async def list_tracks(self, *, page_size: int | None = None) -> AsyncIterator[Track]:
        """Yields all tracks in the order of their ids; see `Client.list_tracks`."""
        call: Call[ListTracksRequest, ListTracksResponse] | None = _calls.list_tracks(page_size)
        while call:
            page = await self._send(call)
            for track in page.tracks:
                yield track
            call = _calls.next_page(call, page)

    async def search(self, query: str, *, page_size: int | None = None) -> AsyncIterator[Track]:
        """Yields the tracks that contain every word of a query; see `Client.search`."""
        async for page in self.search_pages(query, page_size=page_size):
            for track in page.tracks:
                yield track

    async def search_pages(self, query: str, *, page_size: int | None = None) -> AsyncIterator[SearchTracksResponse]:
        """Yields the pages of a search; see `Client.search_pages`."""
        call: Call[SearchTracksRequest, SearchTracksResponse] | None = _calls.search_tracks(query, page_size)
        while call:
            page = await self._send(call)
            yield page
            call = _calls.next_matches(call, page)

    async def status(self) -> GetStatusResponse:
        """Returns the model, the catalogue and the version of the server."""
        return await self._send(_calls.status())

    async def close(self) -> None:
        """Cancels the calls in progress and closes the connection."""
        await self._channel.close(None)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @cached_property
    def _channel(self) -> grpc.aio.Channel:
        return self._endpoint.open_async_channel()

    @cached_property
    def _stubs(self) -> Stubs:
        return Stubs(self._channel)

    async def _send(self, call: Call[Request, Response]) -> Response:
        async def send(seconds: float) -> Response:
            with call_span(type(call.request)) as trace, self._endpoint.typed_errors():
                return await cast("Awaitable[Response]", self._endpoint.send(self._stubs, call, seconds, trace))

        return await _until_ready(self._endpoint.waiting(), send)

    async def _upload(self, clip: Clip, send: Callable[[float], Awaitable[Response]]) -> Response:
        if self._endpoint.wait_for_ready and not clip.is_repeatable:
            # It cannot be sent again, so it is sent only when there is a server. Without one, the call says so.
            with suppress(TimeoutError):
                async with asyncio.timeout(self._endpoint.timeout):
                    await self._channel.channel_ready()
        return await _until_ready(self._endpoint.waiting_for_upload(clip), send)

    async def _classify_large(self, clip: Clip, top_k: int | None, read_mask: Iterable[str] | None) -> ClassifyResponse:
        fields = _calls.field_mask(read_mask)

        async def send(seconds: float) -> ClassifyResponse:
            stream = _streams.classify_upload(clip.async_chunks(), top_k, fields, seconds)
            responses = [response async for response in self._stream(stream)]
            return responses[-1].result

        return await self._upload(clip, send)

    async def _recommend_large(self, clip: Clip, request: RecommendRequest) -> RecommendResponse:
        if track_id := await asyncio.to_thread(_streams.track_id_of, clip, request):
            with suppress(TrackNotFoundError):
                return await self._send(_calls.recommend_track(request, track_id))

        async def send(seconds: float) -> RecommendResponse:
            upload = _streams.recommend_upload(clip.async_chunks(), request, seconds)
            with call_span(upload.requests.kind) as trace, upload.typed_errors(self._endpoint):
                return (await upload.send_async(self._stubs, self._endpoint, trace)).response

        return await self._upload(clip, send)

    async def _stream(self, stream: Stream[Request, Response]) -> AsyncIterator[Response]:
        with call_span(stream.requests.kind) as trace, stream.typed_errors(self._endpoint):
            call = stream.open_async(self._stubs, self._endpoint, trace)
            async with aclosing(exchange(call, aiter(stream.requests))) as responses:
                async for response in responses:
                    yield response


async def _until_ready(waiting: Waiting, send: Callable[[float], Awaitable[Response]]) -> Response:
    """Sends a call, again while the server starts; ``send`` takes the time limit in seconds."""
    while True:
        try:
            return await send(waiting.seconds_left)
        except SegueError as error:
            await asyncio.sleep(waiting.pause_after(error))
