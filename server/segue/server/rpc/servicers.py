"""The three gRPC services."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from importlib.metadata import version
from typing import Literal, NamedTuple

from segue.core.catalogue.records import Track
from segue.core.catalogue.store import TrackStore
from segue.core.errors import SegueError, TrackNotFound
from segue.core.index.vector_index import Vectors
from segue.core.model.artifact import Manifest
from segue.server.components import DeferredComponents
from segue.server.inference.arriving_audio import ArrivingAudio
from segue.server.inference.bounded_executor import BoundedExecutor
from segue.server.inference.engine import AnalyzedClip, Engine, WindowPrediction
from segue.server.live_catalogue.catalogue import LiveCatalogue
from segue.server.rpc import converters
from segue.server.rpc.concurrency_limit import ConcurrencyLimit
from segue.server.rpc.error_status import item_status, public_message
from segue.server.rpc.field_masks import apply_mask, requested_fields
from segue.server.rpc.handlers import Context
from segue.server.rpc.streams import MAX_STREAMS, chunk_errors, map_concurrently, with_idle_timeout, write_timeout
from segue.v1 import (
    catalog_service_pb2,
    catalog_service_pb2_grpc,
    classification_service_pb2,
    classification_service_pb2_grpc,
    recommendation_service_pb2,
    recommendation_service_pb2_grpc,
    revision_pb2,
)
from segue.v1.classification_service_pb2 import (
    ClassifyResponse,
    StreamingClassifyRequest,
    StreamingClassifyResponse,
)
from segue.v1.recommendation_service_pb2 import (
    RecommendResponse,
    StreamingRecommendRequest,
    StreamingRecommendResponse,
)


class _Service:
    """Gives a service its components; a call fails with STARTING until they are built."""

    def __init__(self, components: DeferredComponents) -> None:
        self._components = components

    @property
    def _engine(self) -> Engine:
        return self._components.get().engine

    @property
    def _catalogue(self) -> LiveCatalogue:
        return self._components.get().catalogue

    @property
    def _readers(self) -> BoundedExecutor:
        return self._components.get().readers

    @property
    def _manifest(self) -> Manifest:
        return self._engine.model.manifest

    def _revision(self) -> revision_pb2.Revision:
        return converters.revision(self._manifest.model_id, self._catalogue.view.revision, self._catalogue.stale)


class ClassificationService(_Service, classification_service_pb2_grpc.ClassificationServiceServicer):
    """Classifies clips by genre."""

    def __init__(self, components: DeferredComponents) -> None:
        super().__init__(components)
        self._streams = ConcurrencyLimit(MAX_STREAMS, "streams are open")

    async def Classify(  # noqa: N802 - the contract's name
        self, request: classification_service_pb2.ClassifyRequest, context: Context
    ) -> ClassifyResponse:
        """Scores every genre of the model for a clip."""
        top_k, fields = converters.limit(request), requested_fields(request.read_mask, ClassifyResponse)
        audio = converters.audio_bytes(request.audio, "audio")
        analyzed = await self._engine.analyze(audio, context.time_remaining())
        return apply_mask(self._full_response(analyzed, top_k), fields)

    async def StreamingClassify(  # noqa: N802 - the contract's name
        self, request_iterator: AsyncIterator[StreamingClassifyRequest], context: Context
    ) -> AsyncIterator[StreamingClassifyResponse]:
        """Scores the windows of a clip while it arrives, and the whole clip at the end."""
        with self._streams.acquire(), chunk_errors():
            requests = with_idle_timeout(request_iterator)
            async with aclosing(self._classify_stream(requests, context)) as responses:
                async for response in responses:
                    with write_timeout():
                        yield response

    async def _classify_stream(
        self, requests: AsyncIterator[StreamingClassifyRequest], context: Context
    ) -> AsyncGenerator[StreamingClassifyResponse, None]:
        config = converters.stream_config(await anext(requests, StreamingClassifyRequest()))
        top_k, fields = converters.limit(config), requested_fields(config.read_mask, ClassifyResponse)
        audio = ArrivingAudio(self._engine, converters.pcm_form(config))
        async for request in requests:
            audio.append(converters.chunk(request))
            async for prediction in audio.new_windows(context.time_remaining()):
                yield self._window_response(prediction, top_k)
        async for prediction in audio.new_windows(context.time_remaining(), ended=True):
            yield self._window_response(prediction, top_k)
        analyzed = await self._engine.analyze(audio.complete_file(), context.time_remaining())
        result = apply_mask(self._full_response(analyzed, top_k), fields)
        yield StreamingClassifyResponse(result=result, revision=result.revision)

    def _window_response(self, prediction: WindowPrediction, top_k: int) -> StreamingClassifyResponse:
        window = converters.scored_window(prediction.start, prediction.posterior, self._manifest, top_k)
        return StreamingClassifyResponse(window=window, revision=self._revision())

    def _full_response(self, analyzed: AnalyzedClip, top_k: int) -> ClassifyResponse:
        """Returns a response with all fields."""
        return ClassifyResponse(
            scores=converters.genre_scores(analyzed.prediction.posterior, self._manifest.labels, top_k),
            revision=self._revision(),
            quality_flags=converters.quality_flags(analyzed.clip.quality),
            timeline=converters.timeline(analyzed, self._manifest, top_k),
            embedding=analyzed.prediction.embedding.tolist(),
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


class RecommendationService(_Service, recommendation_service_pb2_grpc.RecommendationServiceServicer):
    """Recommends tracks that sound similar to a seed."""

    def __init__(self, components: DeferredComponents) -> None:
        super().__init__(components)
        self._streams = ConcurrencyLimit(MAX_STREAMS, "streams are open")

    async def Recommend(  # noqa: N802 - the contract's name
        self, request: recommendation_service_pb2.RecommendRequest, context: Context
    ) -> RecommendResponse:
        """Returns the tracks nearest to a seed."""
        limit, fields = converters.limit(request), requested_fields(request.read_mask, RecommendResponse)
        kind = converters.seed_kind(request)
        self._catalogue.searchable_view()  # fails before a clip is decoded in vain
        seed = await self._seed(request, kind, context.time_remaining())
        nearest = await self._readers.run(self._catalogue.nearest, seed.embedding, limit, seed.track_id)
        response = RecommendResponse(
            recommendations=[converters.recommendation(neighbour, track) for neighbour, track in nearest.tracks],
            revision=converters.revision(self._manifest.model_id, nearest.revision, nearest.stale),
            embedding=seed.embedding.tolist(),
        )
        if seed.analyzed:
            response.quality_flags.extend(converters.quality_flags(seed.analyzed.clip.quality))
            response.timeline.extend(converters.timeline(seed.analyzed, self._manifest, converters.DEFAULT_LIMIT))
        return apply_mask(response, fields)

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
            track_id = converters.track_id(request.track_id)
            return _Seed(track_id, await self._readers.run(self._catalogue.embedding, track_id))
        audio = converters.audio_bytes(request.audio, "audio")
        analyzed = await self._engine.analyze(audio, seconds_left, identify=True)
        return _Seed(str(analyzed.track_id), analyzed.prediction.embedding, analyzed)


class CatalogService(_Service, catalog_service_pb2_grpc.CatalogServiceServicer):
    """Reads the catalogue and the state of the server."""

    async def GetTrack(  # noqa: N802 - the contract's name
        self, request: catalog_service_pb2.GetTrackRequest, context: Context
    ) -> catalog_service_pb2.GetTrackResponse:
        """Returns a track."""
        track_id = converters.track_id(request.track_id)
        (track,) = await self._readers.run(self._catalogue.store.get, [track_id])
        if track is None:
            raise TrackNotFound(track_id)
        return catalog_service_pb2.GetTrackResponse(track=converters.track(track), revision=self._revision())

    async def ListTracks(  # noqa: N802 - the contract's name
        self, request: catalog_service_pb2.ListTracksRequest, context: Context
    ) -> catalog_service_pb2.ListTracksResponse:
        """Returns a page of the tracks in the order of their ids."""
        page = converters.page(request)
        ids, tracks = await self._readers.run(_read_page, self._catalogue.store, page)
        return catalog_service_pb2.ListTracksResponse(
            tracks=[converters.track(track) for track in tracks],
            next_page_token=converters.page_token(ids[-1]) if len(ids) == page.size else "",
            revision=self._revision(),
        )

    async def GetStatus(  # noqa: N802 - the contract's name
        self, request: catalog_service_pb2.GetStatusRequest, context: Context
    ) -> catalog_service_pb2.GetStatusResponse:
        """Returns the model and the state of the catalogue."""
        return catalog_service_pb2.GetStatusResponse(
            revision=self._revision(),
            track_count=len(self._catalogue.view),
            genres=sorted(self._manifest.labels),
            server_version=version("segue"),
            catalogue_problem=self._catalogue_problem(),
        )

    def _catalogue_problem(self) -> str:
        """Returns the reason why the catalogue cannot be searched or read, for any caller, or ""."""
        try:
            self._catalogue.searchable_view()
        except SegueError as error:
            return public_message(error)
        problem = self._catalogue.problem
        return public_message(problem) if problem else ""


def _read_page(store: TrackStore, page: converters.Page) -> tuple[Sequence[str], list[Track]]:
    ids = store.track_ids(page.after, page.size)
    return ids, [track for track in store.get(ids) if track is not None]
