"""The engine with real processes, a real network and real clips."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from segue.core.audio.track_id import track_id
from segue.core.errors import AudioTooShort, AudioUndecodable, DeadlinePassed, Overloaded
from segue.core.features.extract import extract
from segue.core.model.saved_model import Model
from segue.core.process_pool import ProcessPool
from segue.server.inference.decode_worker import DECODE_LIMITS, PRELOADED, DecodedClip, DecodeTask, DecodeWorker
from segue.server.inference.engine import Engine
from segue.server.observability.metrics import Metrics
from tests.helpers.clips import wav
from tests.helpers.processes import decoder

Listeners = ProcessPool[DecodeTask, DecodedClip]


@pytest.fixture(scope="module")
def listeners(loaded_tiny_model: Model) -> Iterator[Listeners]:
    """One process that decodes."""
    manifest = loaded_tiny_model.manifest
    with ProcessPool(
        1, DecodeWorker(manifest.features, manifest.windows), preload=PRELOADED, limits=DECODE_LIMITS
    ) as one:
        yield one


class Rig:
    """An engine and what it counts."""

    def __init__(self, model: Model, listeners: Listeners, queue_seconds: float = 1_000) -> None:
        self.metrics = Metrics()
        self.engine = Engine(model, listeners, queue_seconds, self.metrics)

    def dropped(self, stage: str, why: str) -> float:
        """How much was given up before a stage."""
        return self._sample("segue_dropped_total", {"stage": stage, "why": why})

    def times(self, stage: str) -> float:
        """How often a stage was gone through."""
        return self._sample("segue_stage_seconds_count", {"stage": stage})

    def waiting(self) -> float:
        """How many seconds of audio wait."""
        return self._sample("segue_queue_audio_seconds", {})

    def _sample(self, name: str, labels: dict[str, str]) -> float:
        return self.metrics.registry.get_sample_value(name, labels) or 0.0

    async def begun(self, *pieces: bytes) -> list[asyncio.Task[object]]:
        """Has pieces heard, the first of which is under way then, and the others wait."""
        tasks: list[asyncio.Task[object]] = [asyncio.create_task(self.engine.analyze(piece)) for piece in pieces]
        await asyncio.sleep(0)  # each goes as far as it can
        return tasks


@pytest.fixture
def rig(loaded_tiny_model: Model, listeners: Listeners) -> Iterator[Rig]:
    """An engine with one process."""
    rig = Rig(loaded_tiny_model, listeners)
    yield rig
    rig.engine.close()


LONG = wav(58, rate=44_100)


async def test_as_without_a_server(rig: Rig, loaded_tiny_model: Model, clips: list[Path]) -> None:
    """A piece is heard as the shared path hears it, and each stage is timed once."""
    audio = clips[0].read_bytes()
    manifest = loaded_tiny_model.manifest
    expected = loaded_tiny_model.predict([extract(audio, manifest.features, manifest.windows).windows])[0]
    hearing = await rig.engine.analyze(audio)
    # Sums come out another way in another number of threads.
    assert np.abs(expected.posterior - hearing.prediction.posterior).max() < 1e-6
    assert np.abs(expected.embedding - hearing.prediction.embedding).max() < 1e-6
    assert pytest.approx(30, abs=0.5) == hearing.clip.seconds
    assert [1, 1, 1, 1] == [rig.times(stage) for stage in ("queue", "decode", "features", "network")]


@pytest.mark.parametrize("identify", [True, False])
def test_the_track_id_comes_with_the_windows(listeners: Listeners, clips: list[Path], identify: bool) -> None:
    """The decoding process computes the track id of a clip if the task asks for it."""
    audio = clips[0].read_bytes()
    decoded = listeners.submit(DecodeTask(audio, identify=identify)).result()
    assert (track_id(memoryview(audio)) if identify else None) == decoded.track_id


async def test_an_analysis_carries_the_track_id(rig: Rig) -> None:
    """The engine passes the track id on only if it was asked to."""
    audio = wav(4)
    assert track_id(memoryview(audio)) == (await rig.engine.analyze(audio, identify=True)).track_id
    assert (await rig.engine.analyze(audio)).track_id is None


async def test_neighbours_share_a_batch(rig: Rig, loaded_tiny_model: Model, clips: list[Path]) -> None:
    """What waits while the network is busy goes in together; a lone piece goes in alone; the answers are the same."""
    manifest = loaded_tiny_model.manifest
    windows = [extract(clip, manifest.features, manifest.windows).windows for clip in clips[:5]]
    alone = [(await rig.engine.batcher.predict(piece)).embedding for piece in windows]
    assert 5 == rig.times("network")
    together = await asyncio.gather(*(rig.engine.batcher.predict(piece) for piece in windows))
    assert 5 + 1 == rig.times("network")
    assert np.abs(np.stack(alone) - np.stack([heard.embedding for heard in together])).max() < 1e-6


async def test_too_much(loaded_tiny_model: Model, listeners: Listeners) -> None:
    """What does not fit into the queue is refused before it is decoded, and counted."""
    rig = Rig(loaded_tiny_model, listeners, queue_seconds=100)
    tasks = await rig.begun(LONG)
    with pytest.raises(Overloaded):
        await rig.engine.analyze(LONG)
    assert 1 == rig.dropped("queue", "overloaded")
    await asyncio.gather(*tasks)
    assert 1 == rig.times("decode")
    rig.engine.close()


async def test_cancelled_in_the_queue(rig: Rig) -> None:
    """Whoever hangs up while waiting is never decoded."""
    first, second, third = await rig.begun(LONG, LONG, wav(4))
    second.cancel()
    await asyncio.gather(first, third)
    assert second.cancelled()
    assert 1 == rig.dropped("decode", "cancelled")
    assert 2 == rig.times("decode")
    assert 0 == rig.waiting()


async def test_cancelled_while_it_is_decoded(rig: Rig) -> None:
    """Whoever hangs up while being decoded never gets to the network; the process does the next piece."""
    (first,) = await rig.begun(LONG)
    first.cancel()
    assert (await rig.engine.analyze(wav(4))).clip.seconds
    assert 1 == rig.dropped("network", "cancelled")
    assert 1 == rig.times("network")


async def test_expired(rig: Rig) -> None:
    """A piece whose deadline has passed is not decoded, and counted as such."""
    with pytest.raises(DeadlinePassed):
        await rig.engine.analyze(wav(4), seconds_left=0.0)
    assert 1 == rig.dropped("decode", "expired")
    assert 0 == rig.times("decode")


async def test_expired_before_the_features(rig: Rig) -> None:
    """A deadline that passes while a piece is decoded spares the features."""
    for milliseconds in (1, 2, 4, 8, 16, 32, 64, 128, 256):
        with suppress(DeadlinePassed):
            await rig.engine.analyze(LONG, seconds_left=milliseconds / 1000)
    assert 1 <= rig.dropped("features", "expired")


async def test_what_cannot_be_heard(rig: Rig) -> None:
    """An error of the piece comes back from the process as it was raised there, and the next piece is heard."""
    with pytest.raises(AudioTooShort, match="at least 3 s"):
        await rig.engine.analyze(wav(1))
    with pytest.raises(AudioUndecodable):
        await rig.engine.analyze(b"no audio" * 100)
    assert (await rig.engine.analyze(wav(4))).prediction.posterior.shape == (10,)


async def test_a_process_that_dies(rig: Rig) -> None:
    """A process that dies costs the piece that it worked on; the next one is heard by another."""
    said: list[str] = []
    # Killed before it has the piece, or after it is done with it, a process costs nothing: later each time.
    for milliseconds in range(5, 500, 5):
        assert (await rig.engine.analyze(wav(4))).prediction.posterior.shape == (10,)
        (first,) = await rig.begun(LONG)
        await asyncio.sleep(milliseconds / 1000)
        os.kill(decoder(os.getpid()), signal.SIGKILL)
        (answer,) = await asyncio.gather(first, return_exceptions=True)
        if isinstance(answer, AudioUndecodable):
            said.append(str(answer))
            break
    assert ["could not be decoded" in sentence for sentence in said] == [True]
    assert (await rig.engine.analyze(wav(4))).prediction.posterior.shape == (10,)
