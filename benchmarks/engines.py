"""Measures the engines on both models that ship: start, memory, time of a clip, and the processor's matrix peak.

    python benchmarks/engines.py CLIP...

Each engine loads in a process of its own with one thread. The processes take turns in several rounds, and one of them
multiplies matrices by NumPy. A row has the medians, and how many times the least time of its network's multiplications
at that peak a clip takes. The times are of the processor, without decoding and extraction; those of other programs on
the machine affect all rows alike, so the ratios hold.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

ROUNDS = 5
REPEATS = 3
SIDE = 1536
# Multiplications and additions of the five windows of a clip, counted by the shapes of the layers.
GFLOP = {"segue-accurate": 14.0}
ONE_THREAD = {
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"), "1"),
    "TF_NUM_INTEROP_THREADS": "1",
}
ROWS = {
    "TensorFlow": ("tensorflow", {}),
    "TensorFlow without oneDNN": ("tensorflow", {"TF_ENABLE_ONEDNN_OPTS": "0"}),
    "ONNX Runtime": ("onnx", {}),
}


def measure_engine(name: str, engine: Any, clips: Sequence[Path]) -> dict[str, float]:  # noqa: ANN401 - a literal
    """Measures an engine in this process: seconds of its start, MiB of memory, and ms of a clip."""
    from segue.core.features.extract import extract  # noqa: PLC0415 - its import is part of the start
    from segue.core.model.load_model import load_model  # noqa: PLC0415 - likewise
    from segue.core.paths import resolve_model  # noqa: PLC0415 - likewise

    model = load_model(resolve_model(name), engine)
    model.warm_up()
    start = time.process_time()
    windows = [extract(clip, model.manifest.features, model.manifest.windows).windows for clip in clips]
    seconds = _seconds_of(lambda: [model.predict([clip]) for clip in windows])
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"start": start, "memory": memory, "clip": 1000 * seconds / len(clips)}


def measure_peak() -> dict[str, float]:
    """Measures the GFLOP a second of a product of matrices in this process."""
    import numpy as np  # noqa: PLC0415 - the processes of engines import it as they do in a server

    one, two = np.random.default_rng(0).random((2, SIDE, SIDE), np.float32)
    return {"peak": 2 * SIDE**3 / 1e9 / _seconds_of(lambda: one @ two)}


def _seconds_of(work: Callable[[], object]) -> float:
    """Measures the processor time of a work: the least of some repeats, after one that is not measured."""
    work()
    times = []
    for _ in range(REPEATS):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def run_child(*arguments: str, **variables: str) -> dict[str, float]:
    """Runs this file in a process of its own, and returns what it measured."""
    # These two choose a slow kernel of OpenBLAS for processors on which an old one was wrong.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OPENBLAS_")}
    command = [sys.executable, __file__, "--child", *arguments]
    done = subprocess.run(command, env={**kept, **ONE_THREAD, **variables}, capture_output=True, text=True, check=True)
    measured: dict[str, float] = json.loads(done.stdout)
    return measured


def print_table(name: str, rounds: Sequence[Mapping[str, Mapping[str, float]]], peak: float) -> None:
    """Prints the medians of the rounds, and the ratios of their times to those of the first row."""
    print(f"\n{name}\n")
    print("| engine | start, s | memory, MiB | a clip, ms | relative | of the peak |\n|---|---|---|---|---|---|")
    for row in ROWS:
        start, memory, clip = (median(one[row][key] for one in rounds) for key in ("start", "memory", "clip"))
        relative = median(one[row]["clip"] / one["TensorFlow"]["clip"] for one in rounds)
        bound = f"{clip / (1000 * GFLOP[name] / peak):.2f}" if name in GFLOP else ""
        print(f"| {row} | {start:.2f} | {memory:.0f} | {clip:.1f} | {relative:.2f} | {bound} |")


def main() -> None:
    """Prints a table for each model."""
    arguments = sys.argv[1:]
    if not arguments:
        sys.exit(__doc__)
    if arguments[0] == "--child":
        name, engine, *clips = arguments[1:]
        measured = measure_peak() if name == "peak" else measure_engine(name, engine, [Path(clip) for clip in clips])
        print(json.dumps(measured))
        return
    for name in ("segue-accurate", "segue-fast"):
        rounds, peaks = [], []
        for _ in range(ROUNDS):
            peaks.append(run_child("peak", "")["peak"])
            rounds.append({row: run_child(name, engine, *arguments, **more) for row, (engine, more) in ROWS.items()})
        print_table(name, rounds, max(peaks))
        print(f"\npeak: {max(peaks):.0f} GFLOP/s")


main()
