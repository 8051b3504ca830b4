"""The client for asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from contextlib import aclosing, closing, suppress

from segue.client import _calls
from segue.client._asyncio.catalog import CatalogMethods
from segue.client._asyncio.playlists import PlaylistMethods
from segue.client._audio import AudioSource, Clip, open_clip
from segue.client._calls import AnySeed
from segue.client._endpoint import MAX_TIMEOUT, Request, Response
from segue.client._spans import call_span
from segue.client._streaming import builders as _streams
from segue.client._streaming.builders import ItemResult, classified, recommended
from segue.client._streaming.calls import Stream
from segue.client._streaming.status import exchange
from segue.client.errors import SegueError, TrackNotFoundError
from segue.v1.audio_pb2 import PcmFormat
from segue.v1.catalog_service_pb2 import UpsertTracksRequest
from segue.v1.classification_service_pb2 import ClassifyResponse, StreamingClassifyResponse
from segue.v1.recommendation_service_pb2 import RecommendRequest, RecommendResponse, TrackFilter, Variety


class AsyncClient(CatalogMethods, PlaylistMethods):
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

    async def batch_classify(
        self,
        clips: Iterable[AudioSource] | AsyncIterable[AudioSource],
        *,
        top_k: int | None = None,
        read_mask: Iterable[str] | None = None,
        stream_timeout: float = MAX_TIMEOUT,
    ) -> AsyncIterator[tuple[int, ClassifyResponse | SegueError]]:
        """Scores the genres of each of many clips; see `Client.batch_classify`."""
        stream, unsent = _streams.batch_classify(clips, top_k, read_mask, stream_timeout)
        async for response in self._stream(stream):
            yield classified(response)
        for number, error in unsent:
            yield number, error

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
            yield recommended(response)
        for number, error in unsent:
            yield number, error

    async def upsert_tracks(
        self,
        items: Iterable[UpsertTracksRequest] | AsyncIterable[UpsertTracksRequest],
        *,
        stream_timeout: float = MAX_TIMEOUT,
    ) -> AsyncIterator[ItemResult]:
        """Adds or changes tracks by their external ids; see `Client.upsert_tracks`."""
        async for response in self._stream(_streams.upsert_tracks(items, stream_timeout)):
            yield _streams.item_result(response)

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
