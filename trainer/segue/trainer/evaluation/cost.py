"""Measures the cost of a network relative to librosa's log-mel of the same clip."""

from __future__ import annotations

import io
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from statistics import median

import numpy as np
import soundfile

from segue.core.features.extract import extract
from segue.core.model.trained_model import Model
from segue.core.testing.synthetic_clips import render_clip

_ROUNDS = 5
_RATE = 22_050


def relative_cost(model: Model) -> float:
    """Measures the processor time of a rendered clip of 30 s, decoded and predicted, relative to librosa's log-mel.

    The log-mel is the paper's: every 512th frame of 2,048 samples, 128 bands. Both times are the median of five
    rounds, all threads of this process together, measured alternately. ``benchmarks/front_end.py`` measures the same on
    given clips.
    """
    file = io.BytesIO()
    soundfile.write(file, render_clip(0, 30.0), _RATE, format="FLAC")
    clip = file.getvalue()
    config, max_windows = model.manifest.features, model.manifest.windows
    both = (lambda: _log_mel(clip)), (lambda: model.predict([extract(clip, config, max_windows).windows]))
    with _compiler_cache():
        rounds = [[_seconds(work) for work in both] for _ in range(_ROUNDS + 1)]
    # The first round includes what is loaded and compiled once.
    librosa_seconds, model_seconds = (median(column) for column in zip(*rounds[1:], strict=True))
    return float(model_seconds / librosa_seconds)


@contextmanager
def _compiler_cache() -> Iterator[None]:
    """Gives librosa's compiler, numba, a folder for its results where that of the package cannot be written."""
    spec = find_spec("librosa")
    if "NUMBA_CACHE_DIR" in os.environ or spec is None or os.access(Path(spec.origin or "").parent, os.W_OK):
        yield
        return
    with tempfile.TemporaryDirectory(prefix="segue-numba-") as folder:
        os.environ["NUMBA_CACHE_DIR"] = folder
        try:
            yield
        finally:
            del os.environ["NUMBA_CACHE_DIR"]


def _log_mel(clip: bytes) -> None:
    import librosa  # noqa: PLC0415 - its compiler looks for its folder at import

    samples, rate = soundfile.read(io.BytesIO(clip), dtype="float32")
    power = librosa.feature.melspectrogram(y=samples, sr=rate, n_fft=2_048, hop_length=512, n_mels=128)
    librosa.power_to_db(power, ref=np.max)


def _seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start
