"""What a network costs beside librosa's own log-mel of the same clip."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from statistics import median

import librosa
import numpy as np
import soundfile

from segue.core.features.extract import extract
from segue.core.model.saved_model import Model
from segue.core.testing.synthetic_clips import render_clip

_ROUNDS = 5
_RATE = 22_050


def relative_cost(model: Model) -> float:
    """The processor seconds of a rendered clip of 30 s, decoded and heard, over those of its log-mel by librosa.

    The log-mel is the paper's: every 512th frame of 2,048 samples, 128 bands. Both are the median of five, all threads
    of this process together, taken in turn. ``benchmarks/front_end.py`` measures the same on clips that are named.
    """
    file = io.BytesIO()
    soundfile.write(file, render_clip(0, 30.0), _RATE, format="FLAC")
    clip = file.getvalue()
    config, most = model.manifest.features, model.manifest.windows
    both = (lambda: _log_mel(clip)), (lambda: model.predict([extract(clip, config, most).windows]))
    rounds = [[_seconds(work) for work in both] for _ in range(_ROUNDS + 1)]
    # The first round pays for what is loaded and compiled once.
    theirs, ours = (median(column) for column in zip(*rounds[1:], strict=True))
    return float(ours / theirs)


def _log_mel(clip: bytes) -> None:
    samples, rate = soundfile.read(io.BytesIO(clip), dtype="float32")
    power = librosa.feature.melspectrogram(y=samples, sr=rate, n_fft=2_048, hop_length=512, n_mels=128)
    librosa.power_to_db(power, ref=np.max)


def _seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start
