"""Hears pieces of music for many callers at once, and refuses more than it can hear in time.

A piece goes through four hands: it is taken on or refused by how long it plays, waits for a worker process, is decoded
there and becomes windows, and these go into the network with those of others. A caller who leaves takes it out of each.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import NamedTuple, cast

from segue.core.audio.sniff import playing_seconds
from segue.core.errors import AudioUndecodable, DeadlinePassed, Overloaded, WorkerError
from segue.core.features.extract import ExtractedClip
from segue.core.features.extract_partial import PartialWindows
from segue.core.features.windows import Windows
from segue.core.model.saved_model import Floats, Model, Prediction
from segue.core.process_pool import ProcessPool
from segue.server.inference.admission import Admission, Ticket, weight
from segue.server.inference.batcher import Batcher
from segue.server.inference.decode_worker import DecodedClip, DecodeTask, StreamRange
from segue.server.observability.call_record import CLOCK_SKEW_SECONDS
from segue.server.observability.metrics import Metrics, Stage


class AnalyzedClip(NamedTuple):
    """A piece of music and what the network makes of it; its track id only where that was asked for."""

    clip: ExtractedClip
    prediction: Prediction
    track_id: str | None


class WindowPrediction(NamedTuple):
    """A window of a piece that is still arriving: where it begins in seconds, its posterior or None for silence."""

    start: float
    posterior: Floats | None


class PartialPredictions(NamedTuple):
    """The next windows of a piece that is still arriving, and how many seconds of it there are."""

    predictions: list[WindowPrediction]
    seconds: float


class Engine:
    """A loaded network and the processes that decode for it.

    Attributes:
        model: the network.
        network: hears windows that were made elsewhere, with those of everybody.
    """

    def __init__(
        self, model: Model, listeners: ProcessPool[DecodeTask, DecodedClip], queue_seconds: float, metrics: Metrics
    ) -> None:
        """Takes a warm model, the processes, and how many seconds of audio may wait or be heard at once."""
        self.model = model
        self.batcher = Batcher(model, metrics)
        self._listeners = listeners
        # Nothing waits in the processes' own queue, where what is given up would keep its bytes.
        self._free = asyncio.Semaphore(listeners.jobs)
        self._admission = Admission(queue_seconds)
        self._metrics = metrics
        metrics.queue_audio_seconds.set_function(self._admission.waiting_seconds)
        metrics.queue_age_seconds.set_function(self._admission.age)

    def close(self) -> None:
        """Waits for what the network is hearing; whoever made the processes ends them."""
        self.batcher.close()

    def rejection(self) -> Overloaded | None:
        """Why a piece would be refused, before its bytes are here, or None if it may be taken on."""
        if rejection := self._admission.rejection():
            self._metrics.count_dropped("queue", "overloaded")
        return rejection

    async def analyze(self, audio: bytes, seconds_left: float | None = None, *, identify: bool = False) -> AnalyzedClip:
        """What the network makes of one piece.

        Args:
            audio: the bytes of a whole file.
            seconds_left: how long anybody waits for it, or None where that is not known.
            identify: True to compute the track id, too.

        Raises:
            Overloaded: too much is waiting already; this piece was not looked at.
            AudioError: it cannot be decoded, is too short or too long, or is silent.
            DeadlinePassed: nobody waits for it any more.
        """
        task = DecodeTask(audio, _deadline(seconds_left), identify=identify)
        with self._counting_refusals(), self._admission.admit(_weight(audio)) as visit:
            listened = await self._listen(task, visit)
            clip = cast("ExtractedClip", listened.clip)
            with self._counting_leavers("network", task):
                return AnalyzedClip(clip, await self.batcher.predict(clip.windows), listened.track_id)

    async def analyze_partial(
        self, audio: bytes, stream_range: StreamRange, seconds_left: float | None = None
    ) -> PartialPredictions:
        """What the network makes of the next windows of a piece of which only the start is there.

        Args:
            audio: the bytes that are there so far.
            stream_range: which windows are wanted.
            seconds_left: how long anybody waits for it, or None where that is not known.

        Raises:
            Overloaded: too much is waiting already; this piece was not looked at.
            AudioUndecodable: a decoder cannot bear it.
            DeadlinePassed: nobody waits for it any more.
        """
        task = DecodeTask(audio, _deadline(seconds_left), stream_range)
        with self._counting_refusals(), self._admission.admit(_weight(audio)) as visit:
            arrived = cast("PartialWindows", (await self._listen(task, visit)).clip)
            with self._counting_leavers("network", task):
                posteriors = await asyncio.gather(*map(self._posterior, arrived.windows))
        return PartialPredictions(list(map(WindowPrediction, arrived.starts, posteriors)), arrived.seconds)

    async def _posterior(self, windows: Windows | None) -> Floats | None:
        return None if windows is None else (await self.batcher.predict(windows)).posterior

    async def _listen(self, task: DecodeTask, visit: Ticket) -> DecodedClip:
        with self._counting_leavers("decode", task):
            await self._free.acquire()
        visit.waits = False
        try:
            with self._counting_leavers("network", task):
                # Not by a name: what it raises holds this frame, and with it the audio.
                listened = await asyncio.wrap_future(self._submit(task))
        except WorkerError as error:
            raise AudioUndecodable(f"The audio could not be decoded. {error} Send it whole and undamaged.") from error
        self._metrics.observe_stage("queue", listened.begun - visit.since)
        self._metrics.observe_stage("decode", listened.decoded - listened.begun)
        self._metrics.observe_stage("features", listened.done - listened.decoded)
        return listened

    def _submit(self, task: DecodeTask) -> Future[DecodedClip]:
        """Gives a task to a free process, which is free again when it is done, whether or not anybody waits for it."""
        loop = asyncio.get_running_loop()
        job = self._listeners.submit(task)
        job.add_done_callback(lambda _: loop.call_soon_threadsafe(self._free.release))
        return job

    @contextmanager
    def _counting_refusals(self) -> Iterator[None]:
        try:
            yield
        except Overloaded:
            self._metrics.count_dropped("queue", "overloaded")
            raise
        except DeadlinePassed as error:
            self._metrics.count_dropped("features" if error.stage == "features" else "decode", "expired")
            raise

    @contextmanager
    def _counting_leavers(self, stage: Stage, task: DecodeTask) -> Iterator[None]:
        """Counts a caller who hangs up in here, and so spares the stage that would follow."""
        try:
            yield
        except asyncio.CancelledError:
            late = task.deadline is not None and time.monotonic() > task.deadline - CLOCK_SKEW_SECONDS
            self._metrics.count_dropped(stage, "expired" if late else "cancelled")
            raise


def _deadline(seconds_left: float | None) -> float | None:
    return None if seconds_left is None else time.monotonic() + seconds_left


def _weight(audio: bytes) -> float:
    return weight(len(audio), playing_seconds(memoryview(audio)))
