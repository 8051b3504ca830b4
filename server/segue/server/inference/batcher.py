"""Batches concurrent inference requests, with those of several callers in turn."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context, copy_context
from dataclasses import dataclass, field

from segue.core.features.windows import Windows
from segue.core.model.network import MAX_BATCH
from segue.core.model.trained_model import Model, Prediction
from segue.server.callers.caller import current_caller
from segue.server.inference.fair_queue import FairQueue
from segue.server.observability.metrics import Metrics

# A clip that becomes ready waits for the running batch, so a batch has only the clips that take about this long.
_BATCH_SECONDS = 0.05


@dataclass(frozen=True)
class _PendingRequest:
    """The caller and the windows of a clip, the future of their prediction, and the context of the call."""

    caller: str
    windows: Windows
    prediction: asyncio.Future[Prediction]
    keep_windows: bool = False
    call: Context = field(default_factory=copy_context)


class Batcher:
    """Runs a model on batches of up to 16 clips that take about 50 ms, or on one that takes longer.

    It never waits to fill a batch: a single clip runs at once.
    """

    def __init__(self, model: Model, metrics: Metrics) -> None:
        """Creates a batcher.

        Args:
            model: a model that is warm.
            metrics: receives the duration and the size of each batch.
        """
        self._model = model
        self._metrics = metrics
        self._pending: FairQueue[_PendingRequest] = FairQueue()
        self._clip_seconds = _BATCH_SECONDS  # in the last batch, for each of its clips
        self._running: asyncio.Task[None] | None = None
        # The engine uses threads of its own for a batch; two batches at once would only slow each other down.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="network")

    async def predict(self, windows: Windows, *, keep_windows: bool = False) -> Prediction:
        """Predicts one clip; a request that is cancelled while it is pending never enters a batch."""
        future = asyncio.get_running_loop().create_future()
        request = _PendingRequest(current_caller().name, windows, future, keep_windows)
        self._pending.put(request.caller, len(windows.values), request)
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        return await request.prediction

    def close(self) -> None:
        """Waits for the running batch."""
        self._thread.shutdown(cancel_futures=True)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while batch := self._next_batch():
            try:
                self._resolve(batch, await loop.run_in_executor(self._thread, self._predict, batch))
            except Exception as error:  # noqa: BLE001 - the callers of the batch receive it
                self._fail(batch, error)
        self._running = None

    def _next_batch(self) -> list[_PendingRequest]:
        batch: list[_PendingRequest] = []
        size = min(MAX_BATCH, max(1, int(_BATCH_SECONDS / self._clip_seconds)))
        while self._pending and len(batch) < size:
            request = self._pending.pop()
            if request.prediction.cancelled():
                self._pending.charge(request.caller, -len(request.windows.values))
            else:
                batch.append(request)
        return batch

    def _predict(self, batch: list[_PendingRequest]) -> list[Prediction]:
        begun = time.monotonic()
        keep_windows = any(request.keep_windows for request in batch)
        predictions = self._model.predict([request.windows for request in batch], keep_windows=keep_windows)
        ended = time.monotonic()
        self._clip_seconds = (ended - begun) / len(batch)
        self._metrics.observe_stage("network", begun, ended, [request.call for request in batch])
        self._metrics.batch_windows.observe(sum(len(request.windows.values) for request in batch))
        return predictions

    def _resolve(self, batch: list[_PendingRequest], predictions: list[Prediction]) -> None:
        for request, prediction in zip(batch, predictions, strict=True):
            if not request.prediction.done():
                request.prediction.set_result(prediction)

    def _fail(self, batch: list[_PendingRequest], error: Exception) -> None:
        for request in batch:
            if not request.prediction.done():
                request.prediction.set_exception(error)
