"""What is done with a piece of music in a worker process: decoding and the front end, for a caller who may leave."""

from __future__ import annotations

import io
import os
import time
from dataclasses import dataclass

import numpy as np
import soundfile

from segue.core.audio.track_id import track_id
from segue.core.errors import DeadlinePassed
from segue.core.features.config import FeatureConfig
from segue.core.features.extract import ExtractedClip, extract
from segue.core.features.extract_partial import PartialWindows, extract_partial
from segue.core.worker_process import JobLimits

# What the longest piece that is taken needs is far below: 3 s, and 320 MB for an hour of AAC.
DECODE_LIMITS = JobLimits(seconds=30.0, memory_bytes=2**30)
PRELOADED = ("segue.server.inference.decode_worker", "librosa.filters")
# The network and the event loop come first: what was begun is answered before more is begun.
_NICENESS = 5


@dataclass(frozen=True)
class StreamRange:
    """Which windows are wanted of a piece that is still arriving: those that are complete.

    Attributes:
        first: the number of the first one, from 0.
        ended: whether no more bytes will come.
    """

    first: int
    ended: bool


@dataclass(frozen=True)
class DecodeTask:
    """A piece that is to be listened to.

    Attributes:
        audio: the bytes of a whole file.
        deadline: when nobody waits for it any more, on the clock of ``time.monotonic``, or None for never.
        stream_range: which windows are wanted of a piece that is still arriving, or None for a whole one.
        identify: True to compute the track id of a whole clip, too.
    """

    audio: bytes
    deadline: float | None = None
    stream_range: StreamRange | None = None
    identify: bool = False


@dataclass(frozen=True)
class DecodedClip:
    """A piece as the network takes it, and when it was so far, on the clock of ``time.monotonic``.

    Attributes:
        clip: the piece, or what has arrived of it.
        begun: when a process began with it.
        decoded: when its samples were there; of a track that is read window by window, only its header.
        done: when its windows were there.
        track_id: the track id, or None unless the task asked for it.
    """

    clip: ExtractedClip | PartialWindows
    begun: float
    decoded: float
    done: float
    track_id: str | None = None


@dataclass(frozen=True)
class DecodeWorker:
    """Listens to tasks, one after the other, with the same settings.

    Attributes:
        config: the settings of the network's front end.
        most: the most windows that the network takes of a piece.
    """

    config: FeatureConfig
    most: int

    def __call__(self, task: DecodeTask) -> DecodedClip:
        """Makes the windows of a piece, or the next ones of what has arrived of it.

        Raises:
            DeadlinePassed: nobody waits for it any more; looked at before decoding and before the features.
            AudioError: it cannot be decoded, is too short or too long, or is silent.
        """
        os.setpriority(os.PRIO_PROCESS, 0, _NICENESS)
        begun = time.monotonic()
        check(task.deadline, "decode")
        decoded = [begun]

        def note_decoded() -> None:
            decoded.append(time.monotonic())
            check(task.deadline, "features")

        if task.stream_range is None:
            clip: ExtractedClip | PartialWindows = extract(task.audio, self.config, self.most, note_decoded)
        else:
            clip = extract_partial(
                task.audio, self.config, task.stream_range.first, self.most, ended=task.stream_range.ended
            )
        done = time.monotonic()
        return DecodedClip(clip, begun, decoded[-1], done, track_id(memoryview(task.audio)) if task.identify else None)

    def try_out(self) -> DecodeTask:
        """A task that loads everything that later ones need: a window of noise."""
        samples = np.random.default_rng(0).normal(
            0, 0.1, int(1.1 * self.config.window_seconds * self.config.sample_rate)
        )
        file = io.BytesIO()
        soundfile.write(file, samples, self.config.sample_rate, format="WAV", subtype="PCM_16")
        return DecodeTask(file.getvalue())


def check(deadline: float | None, stage: str) -> None:
    """Looks whether anybody still waits for a piece, before a stage of the work on it.

    Raises:
        DeadlinePassed: nobody does.
    """
    if deadline is not None and time.monotonic() >= deadline:
        raise DeadlinePassed(stage)
