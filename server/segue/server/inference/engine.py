"""Analyzes clips for many callers at once, and rejects more than it can analyze in time.

A clip passes four stages: admission by its duration, the queue for a worker process, decoding and feature extraction in
that process, and a batch of the model. Cancelling the call removes the clip from any of them.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, cast

from segue.core.audio.containers import FileBytes
from segue.core.errors import (
    AudioUndecodable,
    DeadlinePassed,
    EnvironmentUnusable,
    Overloaded,
    WorkerDied,
    WorkerError,
    WorkerKilled,
)
from segue.core.features.clips import ExtractedClip, PartialWindows
from segue.core.features.level import Loudness
from segue.core.features.windows import Windows
from segue.core.model.network import Floats
from segue.core.model.trained_model import Model
from segue.core.process_pool import ProcessPool
from segue.server.callers.caller import current_caller
from segue.server.inference.admission import MIN_CLIP_SECONDS, Admission, Ticket, weight
from segue.server.inference.analyzed_clip import AnalyzedClip
from segue.server.inference.batcher import Batcher
from segue.server.inference.decode_task import STREAM_SECONDS, DecodedClip, DecodeTask, StreamRange
from segue.server.inference.fair_queue import FairSlots
from segue.server.inference.work_estimate import work_seconds
from segue.server.observability.call_record import CLOCK_SKEW_SECONDS
from segue.server.observability.metrics import Metrics, Stage

_log = logging.getLogger(__name__)


class WindowPrediction(NamedTuple):
    """The prediction of one window of a clip that is still arriving.

    Attributes:
        start: start of the window in seconds.
        posterior: probability [genres] of each genre, or None for a silent window.
    """

    start: float
    posterior: Floats | None


class PartialPredictions(NamedTuple):
    """The predictions of the next windows of a clip that is still arriving.

    Attributes:
        predictions: one for each window, in the order of time.
        seconds: seconds of the clip that can be decoded so far.
        loudness: loudness of the clip so far, with these windows.
    """

    predictions: list[WindowPrediction]
    seconds: float
    loudness: Loudness


class Engine:
    """A loaded model and the worker processes that decode for it.

    Attributes:
        model: the model.
        batcher: runs the model on batches of clips.
    """

    def __init__(
        self, model: Model, workers: ProcessPool[DecodeTask, DecodedClip], queue_seconds: float, metrics: Metrics
    ) -> None:
        """Creates an engine.

        Args:
            model: a model that is warm.
            workers: worker processes that decode; the caller closes them.
            queue_seconds: largest number of seconds of audio that may be queued or in progress.
            metrics: receives the durations of the stages and the dropped work.
        """
        self.model = model
        self.batcher = Batcher(model, metrics)
        self._workers = workers
        # The pool's own queue stays empty: a task that is dropped there would keep its bytes.
        self._free_workers = FairSlots(workers.jobs)
        self._admission = Admission(queue_seconds)
        self._metrics = metrics

    def show_metrics(self) -> None:
        """Makes the metrics of the queue and of the genres those of this engine."""
        self._metrics.drift.show_genres(self.model.manifest.labels)
        self._metrics.queue_audio_seconds.set_function(self._admission.waiting_seconds)
        self._metrics.queue_age_seconds.set_function(self._admission.age)

    def close(self) -> None:
        """Waits for the running batch of the model."""
        self.batcher.close()

    def check_admission(self) -> None:
        """Checks that a clip of the current caller would be admitted now.

        Raises:
            Overloaded: the queue is full, or the caller's share of it.
            QuotaExceeded: the caller has used up its seconds of audio.
        """
        caller = current_caller()
        caller.meter.check_audio(MIN_CLIP_SECONDS)
        with self._counting_drops():
            self._admission.check(caller.name)

    async def analyze(
        self,
        audio: Path | bytes,
        seconds_left: float | None = None,
        *,
        identify: bool = False,
        keep_windows: bool = False,
    ) -> AnalyzedClip:
        """Analyzes a clip.

        Args:
            audio: a file, or the bytes of one.
            seconds_left: seconds until the caller's deadline, or None without one.
            identify: True to compute the track id, too.
            keep_windows: True to predict the embedding of each window, too.

        Raises:
            Overloaded: the queue is full, or the caller's share of it, and the clip was not decoded.
            QuotaExceeded: the caller has used up its seconds of audio.
            AudioError: the clip cannot be decoded, is too short or too long, or is silent.
            WorkerKilled: something killed its worker process, twice.
            DeadlinePassed: the caller's deadline has passed.
        """
        task = DecodeTask(audio, _deadline(seconds_left), identify=identify)
        seconds = _weight(audio)
        with self._counting_drops(), self._admit(seconds, charge=seconds) as ticket:
            decoded = await self._decode(task, ticket)
            clip = cast("ExtractedClip", decoded.clip)
            with self._counting_cancellations("network", task):
                prediction = await self.batcher.predict(clip.windows, keep_windows=keep_windows)
        self._count_prediction(prediction.posterior, clip)
        return AnalyzedClip(clip, prediction, decoded.track_id)

    def _count_prediction(self, posterior: Floats, clip: ExtractedClip) -> None:
        top = int(posterior.argmax())
        self._metrics.drift.clip_analyzed(self.model.manifest.labels[top], float(posterior[top]), clip.quality.flags)

    async def analyze_partial(
        self, audio: Path, stream_range: StreamRange, seconds_left: float | None = None
    ) -> PartialPredictions:
        """Analyzes the next windows of a clip that is still arriving.

        Args:
            audio: file with the bytes that have arrived so far.
            stream_range: windows to analyze.
            seconds_left: seconds until the caller's deadline, or None without one.

        Raises:
            Overloaded: the queue is full, or the caller's share of it, and the clip was not decoded.
            QuotaExceeded: the caller has used up its seconds of audio.
            AudioUndecodable: the worker process crashed, hung or ran out of memory.
            WorkerKilled: something killed it, twice.
            EnvironmentUnusable: the worker process could not read the file.
            DeadlinePassed: the caller's deadline has passed.
        """
        task = DecodeTask(audio, _deadline(seconds_left), stream_range)
        with self._counting_drops(), self._admit(_weight(audio), charge=0.0) as ticket:
            partial = cast("PartialWindows", (await self._decode(task, ticket)).clip)
            current_caller().meter.count_audio(len(partial.windows) * self.model.manifest.features.window_seconds)
            with self._counting_cancellations("network", task):
                posteriors = await asyncio.gather(*map(self._posterior, partial.windows))
        predictions = list(map(WindowPrediction, partial.starts, posteriors))
        return PartialPredictions(predictions, partial.seconds, partial.loudness)

    @contextmanager
    def _admit(self, seconds: float, charge: float) -> Iterator[Ticket]:
        """Admits a clip of the current caller that weighs ``seconds``, and counts ``charge`` towards its quota."""
        caller = current_caller()
        caller.meter.check_audio(charge)
        with self._admission.admit(caller.name, seconds) as ticket:
            caller.meter.count_audio(charge)
            yield ticket

    async def _posterior(self, windows: Windows | None) -> Floats | None:
        return None if windows is None else (await self.batcher.predict(windows)).posterior

    async def _decode(self, task: DecodeTask, ticket: Ticket) -> DecodedClip:
        try:
            decoded = await self._run_again_if_it_dies(task, ticket)
        except WorkerKilled as error:
            text = (
                "Something killed the process that analyzed the clip, twice; the server may lack memory. Try it again."
            )
            raise WorkerKilled(text) from error
        except WorkerError as error:
            raise AudioUndecodable(f"The audio could not be decoded. {error} Send it whole and undamaged.") from error
        except OSError as error:
            if isinstance(task.audio, bytes):
                raise
            # Its path is the number of a descriptor, which means nothing to a person.
            text = f"A worker process cannot read the clip of a stream: {error.strerror}. Check the disk of --spool."
            raise EnvironmentUnusable(text) from None
        self._metrics.observe_stage("queue", ticket.since, decoded.begun)
        self._metrics.observe_stage("decode", decoded.begun, decoded.decoded)
        self._metrics.observe_stage("features", decoded.decoded, decoded.done)
        return decoded

    async def _run_again_if_it_dies(self, task: DecodeTask, ticket: Ticket) -> DecodedClip:
        try:
            return await self._run(task, ticket)
        except WorkerDied as error:
            _log.warning("a clip is analyzed again: %s", error)
        return await self._run(task, ticket)

    async def _run(self, task: DecodeTask, ticket: Ticket) -> DecodedClip:
        with self._counting_cancellations("decode", task):
            await self._free_workers.acquire(ticket.caller, ticket.seconds)
        ticket.waits = False
        with self._counting_cancellations("network", task), self._metrics.trace_failure("decode"):
            # The future has no name here: its exception refers to this frame, which would keep the audio.
            return await asyncio.wrap_future(self._submit(task, ticket))

    def _submit(self, task: DecodeTask, ticket: Ticket) -> Future[DecodedClip]:
        """Submits a task to a free worker, which is free again after the task even if the caller has left."""
        loop, begun = asyncio.get_running_loop(), time.monotonic()

        def release() -> None:
            self._free_workers.release(ticket.caller, ticket.seconds, time.monotonic() - begun)

        try:
            future = self._workers.submit(task, None if isinstance(task.audio, bytes) else STREAM_SECONDS)
        except BaseException:
            release()
            raise
        future.add_done_callback(lambda _: loop.call_soon_threadsafe(release))
        return future

    @contextmanager
    def _counting_drops(self) -> Iterator[None]:
        try:
            yield
        except Overloaded:
            self._metrics.count_dropped("queue", "overloaded")
            raise
        except DeadlinePassed as error:
            self._metrics.count_dropped("features" if error.stage == "features" else "decode", "expired")
            raise

    @contextmanager
    def _counting_cancellations(self, stage: Stage, task: DecodeTask) -> Iterator[None]:
        """Counts a call that is cancelled inside the block, before ``stage``."""
        try:
            yield
        except asyncio.CancelledError:
            late = task.deadline is not None and time.monotonic() > task.deadline - CLOCK_SKEW_SECONDS
            self._metrics.count_dropped(stage, "expired" if late else "cancelled")
            raise


def _deadline(seconds_left: float | None) -> float | None:
    return None if seconds_left is None else time.monotonic() + seconds_left


def _weight(audio: Path | bytes) -> float:
    if isinstance(audio, bytes):
        return weight(len(audio), work_seconds(memoryview(audio)))
    with audio.open("rb") as file:
        data = FileBytes(file.fileno())
        return weight(len(data), work_seconds(data))
