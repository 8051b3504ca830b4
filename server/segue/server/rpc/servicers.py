"""The three services: what each call does, in the words of the core."""

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
    """Holds the components that every service needs; a call fails with STARTING until they are built."""

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
    def _model(self) -> Manifest:
        return self._engine.model.manifest

    def _revision(self) -> revision_pb2.Revision:
        return converters.revision(self._model.model_id, self._catalogue.view.revision, self._catalogue.stale)


class ClassificationService(_Service, classification_service_pb2_grpc.ClassificationServiceServicer):
    """Tells the genre of a piece of music."""

    def __init__(self, components: DeferredComponents) -> None:
        super().__init__(components)
        self._streams = ConcurrencyLimit(MAX_STREAMS, "streams are open")

    async def Classify(  # noqa: N802 - the contract's name
        self, request: classification_service_pb2.ClassifyRequest, context: Context
    ) -> ClassifyResponse:
        """Scores every genre that the model knows."""
        most, fields = converters.limit(request), requested_fields(request.read_mask, ClassifyResponse)
        audio = converters.audio_bytes(request.audio, "audio")
        hearing = await self._engine.analyze(audio, context.time_remaining())
        return apply_mask(self._answer(hearing, most), fields)

    async def StreamingClassify(  # noqa: N802 - the contract's name
        self, request_iterator: AsyncIterator[StreamingClassifyRequest], context: Context
    ) -> AsyncIterator[StreamingClassifyResponse]:
        """Scores every genre of a piece while it arrives, and of the whole at its end."""
        with self._streams.acquire(), chunk_errors():
            async with aclosing(self._heard_while_it_comes(with_idle_timeout(request_iterator), context)) as answers:
                async for answer in answers:
                    with write_timeout():
                        yield answer

    async def _heard_while_it_comes(
        self, requests: AsyncIterator[StreamingClassifyRequest], context: Context
    ) -> AsyncGenerator[StreamingClassifyResponse, None]:
        config = converters.stream_config(await anext(requests, StreamingClassifyRequest()))
        most, fields = converters.limit(config), requested_fields(config.read_mask, ClassifyResponse)
        audio = ArrivingAudio(self._engine, converters.pcm_form(config))
        async for request in requests:
            audio.append(converters.chunk(request))
            async for preview in audio.new_windows(context.time_remaining()):
                yield self._preview(preview, most)
        async for preview in audio.new_windows(context.time_remaining(), ended=True):
            yield self._preview(preview, most)
        hearing = await self._engine.analyze(audio.complete_file(), context.time_remaining())
        result = apply_mask(self._answer(hearing, most), fields)
        yield StreamingClassifyResponse(result=result, revision=result.revision)

    def _preview(self, preview: WindowPrediction, most: int) -> StreamingClassifyResponse:
        window = converters.scored_window(preview.start, preview.posterior, self._model, most)
        return StreamingClassifyResponse(window=window, revision=self._revision())

    def _answer(self, hearing: AnalyzedClip, most: int) -> ClassifyResponse:
        """All that can be said of a piece."""
        return ClassifyResponse(
            scores=converters.genre_scores(hearing.prediction.posterior, self._model.labels, most),
            revision=self._revision(),
            quality_flags=converters.quality_flags(hearing.clip.quality),
            timeline=converters.timeline(hearing, self._model, most),
            embedding=hearing.prediction.embedding.tolist(),
        )


class _Seed(NamedTuple):
    """What recommendations are to sound like; what was heard of it where it is a clip."""

    track_id: str
    embedding: Vectors
    hearing: AnalyzedClip | None = None


class RecommendationService(_Service, recommendation_service_pb2_grpc.RecommendationServiceServicer):
    """Tells what to play next."""

    def __init__(self, components: DeferredComponents) -> None:
        super().__init__(components)
        self._streams = ConcurrencyLimit(MAX_STREAMS, "streams are open")

    async def Recommend(  # noqa: N802 - the contract's name
        self, request: recommendation_service_pb2.RecommendRequest, context: Context
    ) -> RecommendResponse:
        """Finds the tracks that sound nearest to the seed."""
        most, fields = converters.limit(request), requested_fields(request.read_mask, RecommendResponse)
        kind = converters.seed_kind(request)
        self._catalogue.searchable_view()  # before anything is decoded for nothing
        seed = await self._seed(request, kind, context.time_remaining())
        found = await self._readers.run(self._catalogue.nearest, seed.embedding, most, seed.track_id)
        answer = RecommendResponse(
            recommendations=[converters.recommendation(neighbour, track) for neighbour, track in found.tracks],
            revision=converters.revision(self._model.model_id, found.revision, found.stale),
            embedding=seed.embedding.tolist(),
        )
        if seed.hearing:
            answer.quality_flags.extend(converters.quality_flags(seed.hearing.clip.quality))
            answer.timeline.extend(converters.timeline(seed.hearing, self._model, converters.DEFAULT_LIMIT))
        return apply_mask(answer, fields)

    async def StreamingRecommend(  # noqa: N802 - the contract's name
        self, request_iterator: AsyncIterator[StreamingRecommendRequest], context: Context
    ) -> AsyncIterator[StreamingRecommendResponse]:
        """Answers each request of many, some of them at the same time."""
        with self._streams.acquire():
            async with aclosing(map_concurrently(request_iterator, lambda item: self._item(item, context))) as answers:
                async for answer in answers:
                    with write_timeout():
                        yield answer

    async def _item(self, item: StreamingRecommendRequest, context: Context) -> StreamingRecommendResponse:
        try:
            item_id = converters.item_id(item)
            response = await self.Recommend(item.request, context)
        except Exception as error:  # noqa: BLE001 - an item fails alone, whatever went wrong with it
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
        hearing = await self._engine.analyze(audio, seconds_left, identify=True)
        return _Seed(str(hearing.track_id), hearing.prediction.embedding, hearing)


class CatalogService(_Service, catalog_service_pb2_grpc.CatalogServiceServicer):
    """Reads the catalogue and the state of the server."""

    async def GetTrack(  # noqa: N802 - the contract's name
        self, request: catalog_service_pb2.GetTrackRequest, context: Context
    ) -> catalog_service_pb2.GetTrackResponse:
        """Reads one track."""
        track_id = converters.track_id(request.track_id)
        (track,) = await self._readers.run(self._catalogue.store.get, [track_id])
        if track is None:
            raise TrackNotFound(track_id)
        return catalog_service_pb2.GetTrackResponse(track=converters.track(track), revision=self._revision())

    async def ListTracks(  # noqa: N802 - the contract's name
        self, request: catalog_service_pb2.ListTracksRequest, context: Context
    ) -> catalog_service_pb2.ListTracksResponse:
        """Lists the tracks in the order of their ids, page by page."""
        page = converters.page(request)
        ids, tracks = await self._readers.run(_page, self._catalogue.store, page)
        return catalog_service_pb2.ListTracksResponse(
            tracks=[converters.track(track) for track in tracks],
            next_page_token=converters.page_token(ids[-1]) if len(ids) == page.size else "",
            revision=self._revision(),
        )

    async def GetStatus(  # noqa: N802 - the contract's name
        self, request: catalog_service_pb2.GetStatusRequest, context: Context
    ) -> catalog_service_pb2.GetStatusResponse:
        """Reads which model and which catalogue the server works with."""
        return catalog_service_pb2.GetStatusResponse(
            revision=self._revision(),
            track_count=len(self._catalogue.view),
            genres=sorted(self._model.labels),
            server_version=version("segue"),
            catalogue_problem=self._problem(),
        )

    def _problem(self) -> str:
        """What keeps the catalogue from answering, as any caller may know it."""
        try:
            self._catalogue.searchable_view()
        except SegueError as error:
            return public_message(error)
        problem = self._catalogue.problem
        return public_message(problem) if problem else ""


def _page(store: TrackStore, page: converters.Page) -> tuple[Sequence[str], list[Track]]:
    ids = store.track_ids(page.after, page.size)
    return ids, [track for track in store.get(ids) if track is not None]
