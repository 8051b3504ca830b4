"""The network, shared by all who want something heard: whatever waits when it is free goes in together."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from segue.core.features.windows import Windows
from segue.core.model.saved_model import BATCH_SIZES, Model, Prediction
from segue.server.observability.metrics import Metrics

_MOST = BATCH_SIZES[-1]


@dataclass(frozen=True)
class _PendingRequest:
    windows: Windows
    heard: asyncio.Future[Prediction]


class Batcher:
    """Hears pieces in batches of up to 16. A lone piece goes in at once: a batch is never waited for."""

    def __init__(self, model: Model, metrics: Metrics) -> None:
        """Takes a warm model."""
        self._model = model
        self._metrics = metrics
        self._wishes: deque[_PendingRequest] = deque()
        self._running: asyncio.Task[None] | None = None
        # TensorFlow has threads of its own for a batch; two batches at once would only slow each other.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="network")

    async def predict(self, windows: Windows) -> Prediction:
        """What the network makes of one piece; whoever is cancelled while waiting is left out."""
        wish = _PendingRequest(windows, asyncio.get_running_loop().create_future())
        self._wishes.append(wish)
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        return await wish.heard

    def close(self) -> None:
        """Waits for the batch that is being heard."""
        self._thread.shutdown(cancel_futures=True)

    async def _run(self) -> None:
        while batch := self._next_batch():
            try:
                self._answer(batch, await asyncio.get_running_loop().run_in_executor(self._thread, self._hear, batch))
            except Exception as error:  # noqa: BLE001 - it belongs to those who are waiting
                self._fail(batch, error)
        self._running = None

    def _next_batch(self) -> list[_PendingRequest]:
        batch: list[_PendingRequest] = []
        while self._wishes and len(batch) < _MOST:
            wish = self._wishes.popleft()
            if not wish.heard.cancelled():
                batch.append(wish)
        return batch

    def _hear(self, batch: list[_PendingRequest]) -> list[Prediction]:
        start = time.perf_counter()
        heard = self._model.predict([wish.windows for wish in batch])
        self._metrics.observe_stage("network", time.perf_counter() - start)
        self._metrics.batch_windows.observe(sum(len(wish.windows.values) for wish in batch))
        return heard

    def _answer(self, batch: list[_PendingRequest], heard: list[Prediction]) -> None:
        for wish, answer in zip(batch, heard, strict=True):
            if not wish.heard.done():
                wish.heard.set_result(answer)

    def _fail(self, batch: list[_PendingRequest], error: Exception) -> None:
        for wish in batch:
            if not wish.heard.done():
                wish.heard.set_exception(error)
