"""The service that recommends tracks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

from segue.core.audio.pcm import PcmForm
from segue.core.index.vector_index import Vectors
from segue.server.callers.caller import current_caller
from segue.server.components import ComponentsUser
from segue.server.inference.arriving_audio import ArrivingAudio
from segue.server.inference.engine import AnalyzedClip
from segue.server.live_catalogue.nearest_tracks import NearestTracks
from segue.server.rpc import catalogue_requests, converters
from segue.server.rpc.concurrency_limit import ConcurrencyLimit
from segue.server.rpc.error_status import item_status
from segue.server.rpc.field_masks import apply_mask, requested_fields
from segue.server.rpc.handlers import Context
from segue.server.rpc.streams import (
    MAX_STREAMS,
    chunk_errors,
    map_concurrently,
    with_idle_timeout,
    with_progress,
    write_timeout,
)
from segue.server.rpc.track_messages import response_of
from segue.v1 import (
    recommendation_service_pb2,
    recommendation_service_pb2_grpc,
)
from segue.v1.recommendation_service_pb2 import (
    RecommendResponse,
    RecommendUploadRequest,
    RecommendUploadResponse,
    StreamingRecommendRequest,
    StreamingRecommendResponse,
)


class _Seed(NamedTuple):
    """The seed of a recommendation.

    Attributes:
        track_id: track id of the seed, which is never recommended.
        embedding: embedding [e] of the seed.
        analyzed: the clip if the seed is one, or None for a track.
    """

    track_id: str
    embedding: Vectors
    analyzed: AnalyzedClip | None = None


class RecommendationService(ComponentsUser, recommendation_service_pb2_grpc.RecommendationServiceServicer):
    """Recommends tracks that sound similar to a seed."""

    def __init__(self) -> None:
        self._streams = ConcurrencyLimit(MAX_STREAMS, "streams are open")
        self._uploads = ConcurrencyLimit(MAX_STREAMS, "uploads are open")

    async def Recommend(  # noqa: N802 - the contract's name
        self, request: recommendation_service_pb2.RecommendRequest, context: Context
    ) -> RecommendResponse:
        """Returns the tracks nearest to a seed."""
        kind = converters.seed_kind(request)
        return await self._recommend(request, lambda: self._seed(request, kind, context.time_remaining()))

    async def RecommendUpload(  # noqa: N802 - the contract's name
        self, request_iterator: AsyncIterator[RecommendUploadRequest], context: Context
    ) -> RecommendUploadResponse:
        """Returns the tracks nearest to a clip that arrives in chunks."""
        with self._uploads.acquire(), chunk_errors():
            requests = with_idle_timeout(request_iterator)
            first = await anext(requests, RecommendUploadRequest())
            converters.check_config(first)
            request = converters.upload_request(first.config)
            form = converters.pcm_form(first.config)
            seed = partial(self._uploaded_seed, requests, form, context)
            return RecommendUploadResponse(response=await self._recommend(request, seed))

    async def _recommend(
        self, request: recommendation_service_pb2.RecommendRequest, find_seed: Callable[[], Awaitable[_Seed]]
    ) -> RecommendResponse:
        limit, fields = converters.limit(request), requested_fields(request.read_mask, RecommendResponse)
        skip = converters.offset(request)
        components = self._components
        components.catalogue.searchable_view()  # fails before a clip is decoded in vain
        seed = await find_seed()
        nearest = await self._nearest(seed, limit, skip)
        response = response_of(nearest.tracks)
        response.revision.CopyFrom(converters.revision(components.model_id, nearest.revision, nearest.stale))
        if "embedding" in fields:
            response.embedding.extend(seed.embedding.tolist())
        if seed.analyzed:
            response.quality_flags.extend(converters.quality_flags(seed.analyzed.clip.quality))
            response.missing_seconds = seed.analyzed.clip.quality.flaws.missing_seconds
            response.timeline.extend(converters.timeline(seed.analyzed, components.manifest, converters.DEFAULT_LIMIT))
        return apply_mask(response, fields)

    async def _nearest(self, seed: _Seed, limit: int, skip: int) -> NearestTracks:
        """Searches at once what takes about a millisecond at most, and the rest in a thread."""
        catalogue, readers = self._components.catalogue, self._components.readers
        search = partial(catalogue.search, seed.embedding, limit, seed.track_id, skip)
        found = search() if catalogue.searches_quickly(skip + limit) else await readers.run(search)
        nearest = catalogue.described_from_memory(found)
        return nearest if nearest is not None else await readers.run(catalogue.described, found)

    async def StreamingRecommend(  # noqa: N802 - the contract's name
        self, request_iterator: AsyncIterator[StreamingRecommendRequest], context: Context
    ) -> AsyncIterator[StreamingRecommendResponse]:
        """Answers each of many requests, several of them at once."""
        with self._streams.acquire():
            results = map_concurrently(request_iterator, lambda item: self._recommend_item(item, context))
            async with aclosing(results) as responses:
                async for response in responses:
                    with write_timeout():
                        yield response

    async def _recommend_item(self, item: StreamingRecommendRequest, context: Context) -> StreamingRecommendResponse:
        try:
            current_caller().meter.count_call()
            item_id = converters.item_id(item)
            response = await self.Recommend(item.request, context)
        except Exception as error:  # noqa: BLE001 - an item fails alone, whatever the error is
            status = item_status(error, context)
            return StreamingRecommendResponse(item_id=item.item_id[: converters.MAX_ITEM_ID], status=status)
        return StreamingRecommendResponse(item_id=item_id, response=response)

    async def _seed(
        self,
        request: recommendation_service_pb2.RecommendRequest,
        kind: Literal["audio", "track_id"],
        seconds_left: float | None,
    ) -> _Seed:
        if kind == "track_id":
            return await self._track_seed(catalogue_requests.track_id(request.track_id))
        audio = converters.audio_bytes(request.audio, "audio", self._components.clip_bytes)
        return await self._clip_seed(audio, seconds_left)

    async def _track_seed(self, track_id: str) -> _Seed:
        catalogue, readers = self._components.catalogue, self._components.readers
        (known,) = catalogue.view.embeddings([track_id])
        return _Seed(track_id, await readers.run(catalogue.embedding, track_id) if known is None else known)

    async def _uploaded_seed(
        self, requests: AsyncIterator[RecommendUploadRequest], form: PcmForm | None, context: Context
    ) -> _Seed:
        with self._components.spool.open() as clip:
            audio = ArrivingAudio(self._components.engine, clip, form)
            chunks = (converters.chunk(request, self._components.clip_bytes) async for request in requests)
            async for chunk in with_progress(chunks):
                await audio.append(chunk)
            return await self._clip_seed(await audio.complete_file(), context.time_remaining())

    async def _clip_seed(self, audio: Path | bytes, seconds_left: float | None) -> _Seed:
        analyzed = await self._components.engine.analyze(audio, seconds_left, identify=True)
        return _Seed(str(analyzed.track_id), analyzed.prediction.embedding, analyzed)
