"""Measures the cost of extraction and prediction relative to librosa's log-mel of the same clips, on one core.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/front_end.py CLIP...
    SEGUE_MODEL=segue-accurate ... the same for another network

Prints the processor time of a clip and its ratio to librosa's: for decoding and extraction, and with prediction.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")

import librosa
import numpy as np
import soundfile

from segue.core.features.extract import extract
from segue.core.model.load_model import load_model
from segue.core.paths import default_model, resolve_model

ROUNDS = 5


def librosa_log_mel(clip: Path) -> None:
    """Decodes a clip and computes the paper's log-mel of all its frames."""
    samples, rate = soundfile.read(clip, dtype="float32")
    power = librosa.feature.melspectrogram(y=samples, sr=rate, n_fft=2_048, hop_length=512, n_mels=128)
    librosa.power_to_db(power, ref=np.max)


def cost(work: Callable[[Path], object], clips: Sequence[Path]) -> float:
    """Measures the processor time of a clip in seconds: the median of some rounds, all threads of this process."""
    for clip in clips:
        work(clip)
    rounds = []
    for _ in range(ROUNDS):
        start = time.process_time()
        for clip in clips:
            work(clip)
        rounds.append((time.process_time() - start) / len(clips))
    return median(rounds)


def main() -> None:
    """Measures the clips in the arguments."""
    clips = [Path(name) for name in sys.argv[1:]]
    if not clips:
        sys.exit(__doc__)
    model = load_model(resolve_model(os.environ.get("SEGUE_MODEL", default_model())))
    config, max_windows = model.manifest.features, model.manifest.windows
    reference = cost(librosa_log_mel, clips)
    windows = cost(lambda clip: extract(clip, config, max_windows), clips)
    prediction = cost(lambda clip: model.predict([extract(clip, config, max_windows).windows]), clips)
    print(f"{model.manifest.model_id} on {len(clips)} clips")
    print(f"librosa log-mel          {reference * 1000:7.1f} ms")
    print(f"windows                  {windows * 1000:7.1f} ms   {windows / reference:.2f}")
    print(f"windows and the network  {prediction * 1000:7.1f} ms   {prediction / reference:.2f}")


main()
