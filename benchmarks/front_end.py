"""What hearing a clip costs beside librosa's own log-mel of it, on one core, in one run.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/front_end.py CLIP...
    SEGUE_MODEL=segue-accurate ... the same for another network

Prints processor seconds a clip and their ratio: for decoding and the windows alone, and with the network.
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
from segue.core.model.saved_model import Model
from segue.core.paths import default_model, resolve_model

ROUNDS = 5


def librosa_log_mel(clip: Path) -> None:
    """Decodes a clip and makes the paper's log-mel of all its frames."""
    samples, rate = soundfile.read(clip, dtype="float32")
    power = librosa.feature.melspectrogram(y=samples, sr=rate, n_fft=2_048, hop_length=512, n_mels=128)
    librosa.power_to_db(power, ref=np.max)


def cost(work: Callable[[Path], object], clips: Sequence[Path]) -> float:
    """Processor seconds a clip, the median of some rounds, all threads of this process together."""
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
    """Measures the clips that are named."""
    clips = [Path(name) for name in sys.argv[1:]]
    if not clips:
        sys.exit(__doc__)
    model = Model.load(resolve_model(os.environ.get("SEGUE_MODEL", default_model())))
    config, most = model.manifest.features, model.manifest.windows
    theirs = cost(librosa_log_mel, clips)
    windows = cost(lambda clip: extract(clip, config, most), clips)
    whole = cost(lambda clip: model.predict([extract(clip, config, most).windows]), clips)
    print(f"librosa log-mel          {theirs * 1000:7.1f} ms")
    print(f"windows                  {windows * 1000:7.1f} ms   {windows / theirs:.2f}")
    print(f"windows and the network  {whole * 1000:7.1f} ms   {whole / theirs:.2f}   {model.manifest.model_id}")


main()
