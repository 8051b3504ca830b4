"""The engine with real worker processes, a real model and real clips."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from segue.core.audio.track_id import track_id
from segue.core.errors import AudioTooShort, AudioUndecodable, DeadlinePassed, EnvironmentUnusable, Overloaded
from segue.core.features.extract import extract
from segue.core.features.level import Loudness
from segue.core.model.trained_model import Model
from segue.core.process_pool import ProcessPool
from segue.server.inference.analyzed_clip import AnalyzedClip
from segue.server.inference.decode_task import DecodedClip, DecodeTask, StreamRange
from segue.server.inference.decode_worker import DECODE_LIMITS, PRELOADED, DecodeWorker
from segue.server.inference.engine import Engine
from segue.server.observability.metrics import Metrics
from tests.helpers.clips import wav
from tests.helpers.machine.processes import decoder

Workers = ProcessPool[DecodeTask, DecodedClip]


@pytest.fixture(scope="module")
def workers(loaded_tiny_model: Model) -> Iterator[Workers]:
    """One process that decodes."""
    manifest = loaded_tiny_model.manifest
    worker = DecodeWorker(manifest.features, manifest.windows)
    with ProcessPool(1, worker, preload=PRELOADED, limits=DECODE_LIMITS) as pool:
        yield pool


class Rig:
    """An engine and its metrics.

    Attributes:
        metrics: the metrics.
        engine: the engine.
    """

    def __init__(self, model: Model, workers: Workers, queue_seconds: float = 1_000) -> None:
        self.metrics = Metrics()
        self.engine = Engine(model, workers, queue_seconds, self.metrics)
        self.engine.show_metrics()

    def dropped(self, stage: str, cause: str) -> float:
        """The number of clips that were dropped before a stage."""
        return self._sample("segue_dropped_total", {"stage": stage, "cause": cause})

    def times(self, stage: str) -> float:
        """The number of times that a stage ran."""
        return self._sample("segue_stage_seconds_count", {"stage": stage})

    def waiting(self) -> float:
        """The seconds of audio in the queue."""
        return self._sample("segue_queue_audio_seconds", {})

    def _sample(self, name: str, labels: dict[str, str]) -> float:
        return self.metrics.registry.get_sample_value(name, labels) or 0.0

    async def start(self, *clips: bytes) -> list[asyncio.Task[object]]:
        """Starts to analyze clips; the first one is then in progress, and the others are in the queue."""
        tasks: list[asyncio.Task[object]] = [asyncio.create_task(self.engine.analyze(clip)) for clip in clips]
        await asyncio.sleep(0)  # each task runs as far as it can
        return tasks


@pytest.fixture
def rig(loaded_tiny_model: Model, workers: Workers) -> Iterator[Rig]:
    """An engine with one worker process."""
    rig = Rig(loaded_tiny_model, workers)
    yield rig
    rig.engine.close()


LONG = wav(58, rate=44_100)


async def test_the_prediction_is_that_of_the_model(rig: Rig, loaded_tiny_model: Model, clips: list[Path]) -> None:
    """A clip has the prediction of the model alone, and each stage is timed once."""
    audio = clips[0].read_bytes()
    manifest = loaded_tiny_model.manifest
    expected = loaded_tiny_model.predict([extract(audio, manifest.features, manifest.windows).windows])[0]
    analyzed = await rig.engine.analyze(audio)
    # Another number of threads sums in another order.
    assert np.abs(expected.posterior - analyzed.prediction.posterior).max() < 1e-6
    assert np.abs(expected.embedding - analyzed.prediction.embedding).max() < 1e-6
    assert pytest.approx(30, abs=0.5) == analyzed.clip.seconds
    assert [1, 1, 1, 1] == [rig.times(stage) for stage in ("queue", "decode", "features", "network")]


@pytest.mark.parametrize("identify", [True, False])
def test_the_worker_computes_the_track_id(workers: Workers, clips: list[Path], identify: bool) -> None:
    """The worker process computes the track id of a clip if the task asks for it."""
    audio = clips[0].read_bytes()
    decoded = workers.submit(DecodeTask(audio, identify=identify)).result()
    assert (track_id(memoryview(audio)) if identify else None) == decoded.track_id


async def test_an_analysis_carries_the_track_id(rig: Rig) -> None:
    """The engine returns the track id only if it is requested."""
    audio = wav(4)
    assert track_id(memoryview(audio)) == (await rig.engine.analyze(audio, identify=True)).track_id
    assert (await rig.engine.analyze(audio)).track_id is None


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc")
async def test_a_clip_of_a_stream_that_cannot_be_read(rig: Rig, clips: list[Path]) -> None:
    """The error, which the log will have, says what it was and not the number that is its path."""
    with clips[0].open("rb") as file:
        # To a worker process, "self" is another process, which does not have this file.
        path = Path(f"/proc/self/fd/{fcntl.fcntl(file, fcntl.F_DUPFD_CLOEXEC, 719)}")
    with pytest.raises(EnvironmentUnusable, match=r"clip of a stream: No such file.*--spool") as raised:
        await rig.engine.analyze_partial(path, StreamRange(0, ended=False, before=Loudness()))
    os.close(int(path.name))
    assert path.name not in "".join(traceback.format_exception(raised.value))


async def test_concurrent_clips_share_a_batch(rig: Rig, loaded_tiny_model: Model, clips: list[Path]) -> None:
    """Clips that wait while the model is busy share batches, a single clip runs alone, and predictions are the same."""
    manifest = loaded_tiny_model.manifest
    windows = [extract(clip, manifest.features, manifest.windows).windows for clip in clips[:5]]
    alone = [(await rig.engine.batcher.predict(clip)).embedding for clip in windows]
    assert 5 == rig.times("network")
    together = await asyncio.gather(*(rig.engine.batcher.predict(clip) for clip in windows))
    assert 5 + 5 > rig.times("network")
    assert np.abs(np.stack(alone) - np.stack([prediction.embedding for prediction in together])).max() < 1e-6


async def test_a_full_queue(loaded_tiny_model: Model, workers: Workers) -> None:
    """A clip that does not fit into the queue is rejected before it is decoded, and counted."""
    rig = Rig(loaded_tiny_model, workers, queue_seconds=100)
    tasks = await rig.start(LONG)
    with pytest.raises(Overloaded):
        await rig.engine.analyze(LONG)
    assert 1 == rig.dropped("queue", "overloaded")
    await asyncio.gather(*tasks)
    assert 1 == rig.times("decode")
    rig.engine.close()


async def test_a_clip_that_is_cancelled_in_the_queue(rig: Rig) -> None:
    """A clip whose call is cancelled in the queue is never decoded."""
    first, second, third = await rig.start(LONG, LONG, wav(4))
    second.cancel()
    await asyncio.gather(first, third)
    assert second.cancelled()
    assert 1 == rig.dropped("decode", "cancelled")
    assert 2 == rig.times("decode")
    assert 0 == rig.waiting()


async def test_a_clip_that_is_cancelled_in_progress(rig: Rig) -> None:
    """A clip whose call is cancelled during decoding never reaches the model, and the worker decodes the next one."""
    (first,) = await rig.start(LONG)
    first.cancel()
    assert (await rig.engine.analyze(wav(4))).clip.seconds
    assert 1 == rig.dropped("network", "cancelled")
    assert 1 == rig.times("network")


async def test_a_deadline_before_decoding(rig: Rig) -> None:
    """A clip whose deadline has passed is not decoded, and counted as expired."""
    with pytest.raises(DeadlinePassed):
        await rig.engine.analyze(wav(4), seconds_left=0.0)
    assert 1 == rig.dropped("decode", "expired")
    assert 0 == rig.times("decode")


async def test_a_deadline_before_the_features(rig: Rig) -> None:
    """A clip whose deadline passes during decoding gets no features."""
    for milliseconds in (1, 2, 4, 8, 16, 32, 64, 128, 256):
        with suppress(DeadlinePassed):
            await rig.engine.analyze(LONG, seconds_left=milliseconds / 1000)
    assert 1 <= rig.dropped("features", "expired")


async def test_unusable_audio(rig: Rig) -> None:
    """An error of the worker process reaches the caller unchanged, and the next clip is analyzed."""
    with pytest.raises(AudioTooShort) as error:
        await rig.engine.analyze(wav(1))
    assert {"least_seconds": "3", "actual_seconds": "1"} == error.value.facts
    with pytest.raises(AudioUndecodable):
        await rig.engine.analyze(b"no audio" * 100)
    assert (10,) == (await rig.engine.analyze(wav(4))).prediction.posterior.shape


async def test_a_worker_that_dies(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    """A clip whose worker process is killed is analyzed by another process, and so is the next clip."""
    # A process that is killed before it has the clip, or after it is done, costs nothing: so it lives longer each time.
    for milliseconds in range(5, 500, 5):
        assert (10,) == (await rig.engine.analyze(wav(4))).prediction.posterior.shape
        (first,) = await rig.start(LONG)
        await asyncio.sleep(milliseconds / 1000)
        os.kill(decoder(os.getpid()), signal.SIGKILL)
        assert isinstance(await first, AnalyzedClip)
        if "a clip is analyzed again" in caplog.text:
            break
    assert "killed by SIGKILL" in caplog.text
    assert (10,) == (await rig.engine.analyze(wav(4))).prediction.posterior.shape
