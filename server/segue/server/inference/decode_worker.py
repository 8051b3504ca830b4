"""The job of a worker process: decodes a clip and extracts its windows, unless the caller's deadline has passed."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from segue.core.audio.track_id import file_track_id, track_id
from segue.core.errors import DeadlinePassed
from segue.core.features.clips import ExtractedClip, PartialWindows
from segue.core.features.config import FeatureConfig
from segue.core.features.extract import extract
from segue.core.features.extract_partial import extract_partial
from segue.core.features.trial_clip import trial_clip
from segue.core.model.artifact import Manifest
from segue.core.process_pool import ProcessPool
from segue.core.worker_process import JobLimits
from segue.server.inference.decode_task import DecodedClip, DecodeTask

# Most clips need far less: 3 s, and 320 MB of memory for an hour that is decoded by ffmpeg, see stream_source.py.
DECODE_LIMITS = JobLimits(seconds=30.0, memory_bytes=2**30)
PRELOADED = ("segue.server.inference.decode_worker",)
# The model and the event loop run first: calls in progress end before new ones begin.
_NICENESS = 5


@dataclass(frozen=True)
class DecodeWorker:
    """Does decode tasks, one at a time, with the same settings.

    Attributes:
        config: settings of the model's front end.
        max_windows: largest number of windows that the model uses of a clip.
    """

    config: FeatureConfig
    max_windows: int

    def __call__(self, task: DecodeTask) -> DecodedClip:
        """Extracts the windows of a clip, or the next ones of a clip that is still arriving.

        Raises:
            DeadlinePassed: the deadline has passed before decoding or before the feature extraction.
            AudioError: the clip cannot be decoded, is too short or too long, or is silent.
        """
        # Only root may lower the niceness that the server was started with.
        os.setpriority(os.PRIO_PROCESS, 0, max(_NICENESS, os.getpriority(os.PRIO_PROCESS, 0)))
        begun = time.monotonic()
        check_deadline(task.deadline, "decode")
        decoded = begun

        def on_decoded() -> None:
            nonlocal decoded
            decoded = time.monotonic()
            check_deadline(task.deadline, "features")

        if task.stream_range is None:
            clip: ExtractedClip | PartialWindows = extract(task.audio, self.config, self.max_windows, on_decoded)
        else:
            first, ended, before = task.stream_range.first, task.stream_range.ended, task.stream_range.before
            clip = extract_partial(task.audio, self.config, first, self.max_windows, ended=ended, before=before)
        done = time.monotonic()
        return DecodedClip(clip, begun, decoded, done, _track_id(task.audio) if task.identify else None)

    def warm_up_task(self) -> DecodeTask:
        """Returns a task that loads every module that later tasks need: one window of noise."""
        return DecodeTask(trial_clip(self.config))


def create_workers(manifest: Manifest, workers: int) -> ProcessPool[DecodeTask, DecodedClip]:
    """Returns a pool of worker processes that decode for a model."""
    worker = DecodeWorker(manifest.features, manifest.windows)
    return ProcessPool(workers, worker, preload=PRELOADED, limits=DECODE_LIMITS)


def _track_id(audio: Path | bytes) -> str:
    return track_id(memoryview(audio)) if isinstance(audio, bytes) else file_track_id(audio)


def check_deadline(deadline: float | None, stage: str) -> None:
    """Checks before a stage that the deadline of its task has not passed.

    Raises:
        DeadlinePassed: it has passed.
    """
    if deadline is not None and time.monotonic() >= deadline:
        raise DeadlinePassed(stage)
