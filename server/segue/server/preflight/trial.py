"""Tries what the server will do with a clip, and measures the memory that this takes."""

from __future__ import annotations

import resource
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np

from segue.core.errors import SegueError
from segue.core.features.clips import ExtractedClip
from segue.core.model.trained_model import Model
from segue.core.process_pool import ProcessPool
from segue.core.quantities import quantity
from segue.server.inference.decode_task import DecodedClip, DecodeTask
from segue.server.inference.decode_worker import DecodeWorker, create_workers
from segue.server.inference.open_spool import open_spool
from segue.server.preflight.check_result import CheckResult
from segue.server.settings import Settings

# Measured: 54 MB after clips of 30 s, with what the processes share.
_WORKER_BYTES = 60 * 2**20


def check_trial(model: Model, settings: Settings, available: int | None) -> Iterator[CheckResult]:
    """Decodes clips in a worker process, predicts one in batches of every size, and compares the memory.

    Args:
        model: the loaded model.
        settings: the settings of the server.
        available: memory that was available before the model was loaded, in bytes, or None if that is unknown.
    """
    with create_workers(model.manifest, 1) as pool:
        try:
            seconds = _decode_and_predict(model, pool)
        except (SegueError, OSError) as error:
            yield CheckResult("decoding", "fail", str(error))
            return
        yield CheckResult("decoding", "ok", f"a worker process decoded {seconds:.1f} s, and the model predicted them")
        yield _check_streams(model, pool, settings)
    yield _check_memory(settings.workers, available)


def _decode_and_predict(model: Model, pool: ProcessPool[DecodeTask, DecodedClip]) -> float:
    """Returns the duration of the clip, in seconds."""
    manifest = model.manifest
    task = DecodeWorker(manifest.features, manifest.windows).warm_up_task()
    clip = cast("ExtractedClip", pool.submit(task).result().clip)
    model.warm_up()
    model.predict([clip.windows])
    # The memory of ONNX Runtime grows with each number of windows that it meets.
    config = manifest.features
    for count in range(1, manifest.windows + 1):
        model.encode(np.zeros((count, config.n_mels, config.columns), np.float32))
    return clip.seconds


def _check_streams(model: Model, pool: ProcessPool[DecodeTask, DecodedClip], settings: Settings) -> CheckResult:
    """Checks that a worker process can read the clip of a stream."""
    folder = settings.spool or Path(tempfile.gettempdir())
    try:
        open_spool(replace(settings, spool=folder), pool, model.manifest.features)
    except (SegueError, OSError) as error:
        return CheckResult("streams", "fail", str(error))
    return CheckResult("streams", "ok", f"a worker process read a clip in {folder}")


def _check_memory(workers: int, available: int | None) -> CheckResult:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1024 if sys.platform == "linux" else 1)
    needed = peak + workers * _WORKER_BYTES
    text = f"this model and {quantity(workers, 'worker')} need {needed / 1e9:.1f} GB, without the catalogue"
    if available is None:
        return CheckResult("memory", "ok", text)
    text += f"; {available / 1e9:.1f} GB are available"
    if available < needed:
        return CheckResult("memory", "warn", text, "Add memory, start fewer --workers, or use --model segue-fast.")
    return CheckResult("memory", "ok", text)
