"""The service that recommends tracks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from functools import partial

from segue.core.audio.pcm import PcmForm
from segue.core.selection.shuffle import shuffled
from segue.core.selection.track_query import TrackQuery
from segue.server.callers.caller import current_caller
from segue.server.components import ComponentsUser
from segue.server.inference.arriving_audio import ArrivingAudio
from segue.server.rpc import converters, recommend_requests
from segue.server.rpc.concurrency_limit import ConcurrencyLimit
from segue.server.rpc.error_status import item_status
from segue.server.rpc.field_masks import apply_mask, requested_fields
from segue.server.rpc.handlers import Context
from segue.server.rpc.services.descriptions import described
from segue.server.rpc.services.moments import moments
from segue.server.rpc.services.reasons import reasons
from segue.server.rpc.services.seeds import SeedFinder, Seeds
from segue.server.rpc.services.track_ids import resolve_external_ids
from segue.server.rpc.streams import (
    MAX_STREAMS,
    audio_errors,
    map_concurrently,
    with_idle_timeout,
    with_progress,
    write_timeout,
)
from segue.server.rpc.track_messages import response_of
from segue.server.selection.nearest_tracks import FoundNeighbours
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


class RecommendationService(ComponentsUser, recommendation_service_pb2_grpc.RecommendationServiceServicer):
    """Recommends tracks that sound similar to a seed."""

    def __init__(self) -> None:
        self._streams = ConcurrencyLimit(MAX_STREAMS, "streams are open")
        self._uploads = ConcurrencyLimit(MAX_STREAMS, "uploads are open")

    async def Recommend(  # noqa: N802 - the contract's name
        self, request: recommendation_service_pb2.RecommendRequest, context: Context
    ) -> RecommendResponse:
        """Returns the tracks nearest to a seed, or to several."""
        await self._resolve(request)
        if request.seeds:
            converters.check_no_seed(request)
            recommend_requests.check_seeds(request.seeds, "seeds")
        else:
            converters.seed_kind(request)
        finder = SeedFinder(self._components, context.time_remaining, _wants_moments(request))
        return await self._recommend(request, lambda: finder.find(request))

    async def RecommendUpload(  # noqa: N802 - the contract's name
        self, request_iterator: AsyncIterator[RecommendUploadRequest], context: Context
    ) -> RecommendUploadResponse:
        """Returns the tracks nearest to a clip that arrives in chunks."""
        with self._uploads.acquire(), audio_errors("chunk"):
            requests = with_idle_timeout(request_iterator)
            first = await anext(requests, RecommendUploadRequest())
            converters.check_config(first)
            request = await self._resolve(converters.upload_request(first.config))
            form = converters.pcm_form(first.config)
            finder = SeedFinder(self._components, context.time_remaining, _wants_moments(request))
            seed = partial(self._uploaded_seed, requests, form, finder)
            return RecommendUploadResponse(response=await self._recommend(request, seed))

    async def _resolve(
        self, request: recommendation_service_pb2.RecommendRequest
    ) -> recommendation_service_pb2.RecommendRequest:
        return await resolve_external_ids(request, self._components.catalogue, self._components.readers)

    async def _recommend(
        self, request: recommendation_service_pb2.RecommendRequest, find: Callable[[], Awaitable[Seeds]]
    ) -> RecommendResponse:
        limit, fields = converters.limit(request), requested_fields(request.read_mask, RecommendResponse)
        skip = converters.offset(request)
        components = self._components
        criteria = recommend_requests.criteria(request, components.manifest, skip + limit)
        components.nearest.check_searchable(criteria)  # fails before a clip is decoded in vain
        seeds = await find()
        found = await self._found(TrackQuery(seeds.embedding, limit, seeds.track_ids, criteria, seeds.is_one), skip)
        nearest = await described(found, components.catalogue, components.readers)
        tracks = shuffled(nearest.tracks, criteria.variety.shuffle_seed, lambda track: track[0].track_id)
        response = response_of(tracks, components.catalogue.table.copies_of)
        response.revision.CopyFrom(converters.revision(components.model_id, nearest.revision, nearest.stale))
        if found.emptied_by:
            response.emptied_by = f"filter.{found.emptied_by}"
        response.limited = found.is_limited and len(response.recommendations) < limit
        if "embedding" in fields:
            response.embedding.extend(seeds.embedding.tolist())
        if not fields.isdisjoint({"reasons", "moments"}):
            await self._explain(response, seeds, [neighbour.track_id for neighbour, _ in tracks], fields)
        if seeds.analyzed:
            response.quality_flags.extend(converters.quality_flags(seeds.analyzed.clip.quality))
            response.missing_seconds = seeds.analyzed.clip.quality.flaws.missing_seconds
            response.timeline.extend(converters.timeline(seeds.analyzed, components.manifest, converters.DEFAULT_LIMIT))
        return apply_mask(response, fields)

    async def _explain(
        self, response: RecommendResponse, seeds: Seeds, track_ids: Sequence[str], fields: frozenset[str]
    ) -> None:
        """Adds why the tracks of a response are recommended."""
        catalogue, manifest = self._components.catalogue, self._components.manifest
        response.reasons.extend(reasons(seeds.parts, track_ids, catalogue, manifest.tags))
        if "moments" in fields:
            chosen = [reason.seed for reason in response.reasons]
            seconds = manifest.features.window_seconds
            read = self._components.readers.run
            response.moments.extend(await read(moments, seeds.parts, chosen, track_ids, catalogue, seconds))

    async def _found(self, query: TrackQuery, skip: int) -> FoundNeighbours:
        """Searches at once what takes about a millisecond at most, and the rest in a thread."""
        search = self._components.nearest
        found = search.find_quickly(query, skip)
        return found if found is not None else await self._components.readers.run(search.find, query, skip)

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

    async def _uploaded_seed(
        self, requests: AsyncIterator[RecommendUploadRequest], form: PcmForm | None, finder: SeedFinder
    ) -> Seeds:
        with self._components.spool.open() as clip:
            audio = ArrivingAudio(self._components.engine, clip, form)
            chunks = (converters.chunk(request, self._components.clip_bytes) async for request in requests)
            async for chunk in with_progress(chunks):
                await audio.append(chunk)
            return await finder.clip(await audio.complete_file())


def _wants_moments(request: recommendation_service_pb2.RecommendRequest) -> bool:
    return "moments" in requested_fields(request.read_mask, RecommendResponse)
