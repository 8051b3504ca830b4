"""The service that classifies clips."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from segue.server.callers.caller import current_caller
from segue.server.components import ComponentsUser
from segue.server.inference.analyzed_clip import AnalyzedClip
from segue.server.inference.arriving_audio import ArrivingAudio
from segue.server.inference.engine import WindowPrediction
from segue.server.rpc import converters
from segue.server.rpc.concurrency_limit import ConcurrencyLimit
from segue.server.rpc.error_status import item_status
from segue.server.rpc.field_masks import apply_mask, requested_fields
from segue.server.rpc.handlers import Context
from segue.server.rpc.streams import (
    MAX_STREAMS,
    audio_errors,
    map_concurrently,
    with_idle_timeout,
    with_progress,
    write_timeout,
)
from segue.server.rpc.track_messages import tag_scores
from segue.v1 import (
    classification_service_pb2,
    classification_service_pb2_grpc,
    revision_pb2,
)
from segue.v1.classification_service_pb2 import (
    BatchClassifyRequest,
    BatchClassifyResponse,
    ClassifyResponse,
    StreamingClassifyRequest,
    StreamingClassifyResponse,
)


class ClassificationService(ComponentsUser, classification_service_pb2_grpc.ClassificationServiceServicer):
    """Classifies clips by genre."""

    def __init__(self) -> None:
        self._streams = ConcurrencyLimit(MAX_STREAMS, "streams are open")
        self._batches = ConcurrencyLimit(MAX_STREAMS, "streams of clips are open")

    async def Classify(  # noqa: N802 - the contract's name
        self, request: classification_service_pb2.ClassifyRequest, context: Context
    ) -> ClassifyResponse:
        """Scores every genre of the model for a clip."""
        top_k, fields = converters.limit(request), requested_fields(request.read_mask, ClassifyResponse)
        audio = converters.audio_bytes(request.audio, "audio", self._components.clip_bytes)
        analyzed = await self._components.engine.analyze(audio, context.time_remaining())
        return apply_mask(self._full_response(analyzed, top_k), fields)

    async def StreamingClassify(  # noqa: N802 - the contract's name
        self, request_iterator: AsyncIterator[StreamingClassifyRequest], context: Context
    ) -> AsyncIterator[StreamingClassifyResponse]:
        """Scores the windows of a clip while it arrives, and the whole clip at the end."""
        with self._streams.acquire(), audio_errors("chunk"):
            requests = with_idle_timeout(request_iterator)
            async with aclosing(self._classify_stream(requests, context)) as responses:
                async for response in responses:
                    with write_timeout():
                        yield response

    async def _classify_stream(
        self, requests: AsyncIterator[StreamingClassifyRequest], context: Context
    ) -> AsyncGenerator[StreamingClassifyResponse, None]:
        first = await anext(requests, StreamingClassifyRequest())
        converters.check_config(first)
        config = first.config
        top_k, fields = converters.limit(config), requested_fields(config.read_mask, ClassifyResponse)
        with self._components.spool.open() as clip:
            audio = ArrivingAudio(self._components.engine, clip, converters.pcm_form(config))
            received = (converters.chunk(request, self._components.clip_bytes) async for request in requests)
            chunks = with_progress(received)
            async for prediction in _arriving_windows(audio, chunks, context, is_wanted=not config.result_only):
                yield self._window_response(prediction, top_k)
            analyzed = await self._components.engine.analyze(await audio.complete_file(), context.time_remaining())
        result = apply_mask(self._full_response(analyzed, top_k), fields)
        yield StreamingClassifyResponse(result=result, revision=result.revision)

    async def BatchClassify(  # noqa: N802 - the contract's name
        self, request_iterator: AsyncIterator[BatchClassifyRequest], context: Context
    ) -> AsyncIterator[BatchClassifyResponse]:
        """Scores the genres of each of many clips, several of them at once."""
        with self._batches.acquire():
            results = map_concurrently(request_iterator, lambda item: self._classify_item(item, context))
            async with aclosing(results) as responses:
                async for response in responses:
                    with write_timeout():
                        yield response

    async def _classify_item(self, item: BatchClassifyRequest, context: Context) -> BatchClassifyResponse:
        try:
            current_caller().meter.count_call()
            item_id = converters.item_id(item)
            response = await self.Classify(item.request, context)
        except Exception as error:  # noqa: BLE001 - a clip fails alone, whatever the error is
            status = item_status(error, context)
            return BatchClassifyResponse(item_id=item.item_id[: converters.MAX_ITEM_ID], status=status)
        return BatchClassifyResponse(item_id=item_id, response=response)

    def _revision(self) -> revision_pb2.Revision:
        return converters.revision(self._components.model_id, *self._components.catalogue_state)

    def _window_response(self, prediction: WindowPrediction, top_k: int) -> StreamingClassifyResponse:
        window = converters.scored_window(prediction.start, prediction.posterior, self._components.manifest, top_k)
        return StreamingClassifyResponse(window=window, revision=self._revision())

    def _full_response(self, analyzed: AnalyzedClip, top_k: int) -> ClassifyResponse:
        """Returns a response with all fields."""
        manifest = self._components.manifest
        return ClassifyResponse(
            scores=converters.genre_scores(analyzed.prediction.posterior, manifest.labels, top_k),
            revision=self._revision(),
            quality_flags=converters.quality_flags(analyzed.clip.quality),
            timeline=converters.timeline(analyzed, manifest, top_k),
            embedding=analyzed.prediction.embedding.tolist(),
            missing_seconds=analyzed.clip.quality.flaws.missing_seconds,
            genre_unknown=converters.genre_unknown(analyzed.prediction, manifest),
            tags=tag_scores(dict(zip(manifest.tags, analyzed.prediction.tag_scores.tolist(), strict=True))),
        )


async def _arriving_windows(
    audio: ArrivingAudio, chunks: AsyncIterator[bytes], context: Context, *, is_wanted: bool
) -> AsyncIterator[WindowPrediction]:
    """Writes the chunks of a stream to its clip, and yields the windows as they arrive if they are wanted."""
    async for chunk in chunks:
        await audio.append(chunk)
        if is_wanted:
            async for prediction in audio.new_windows(context.time_remaining()):
                yield prediction
    if is_wanted:
        async for prediction in audio.new_windows(context.time_remaining(), ended=True):
            yield prediction
