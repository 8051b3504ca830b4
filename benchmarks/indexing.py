"""Measures the cost of indexing relative to the bare work on each file, and the memory that it takes. Linux only.

    python benchmarks/indexing.py rate FOLDER       indexes a folder of at least some hundred music files
    python benchmarks/indexing.py memory            indexes 1,000 and 10,000 rendered files of 3 s

SEGUE_MODEL names the model, as it does for the indexer.

The bare work is decoding, feature extraction and prediction in this process, sixteen files at a time. It is measured
before and after the indexing, in the same run. The start of the indexer is subtracted: a run over 33 files is compared
with one over all files.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

# The bare work runs in one thread: threads that wait for each other would add time that it does not need.
ENVIRONMENT = dict(os.environ)
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
    os.environ[name] = "1"

import numpy as np  # noqa: E402 - it reads the environment
import soundfile  # noqa: E402 - likewise

from segue.core.features.extract import extract  # noqa: E402 - likewise
from segue.core.model.load_model import load_model  # noqa: E402 - likewise
from segue.core.model.network import MAX_BATCH  # noqa: E402 - likewise
from segue.core.model.trained_model import Model  # noqa: E402 - likewise
from segue.core.paths import DEFAULT_MODEL, resolve_model  # noqa: E402 - likewise
from segue.core.testing.synthetic_clips import render_clip  # noqa: E402 - likewise
from segue.indexer.pipeline.scan import find_music  # noqa: E402 - likewise

TICKS = os.sysconf("SC_CLK_TCK")
BARE_FILES = 160
# Enough for batches of every size that a longer run has.
START_FILES = 2 * MAX_BATCH + 1
MODEL = resolve_model(os.environ.get("SEGUE_MODEL") or DEFAULT_MODEL)


@dataclass
class Run:
    """Cost of a run of segue-indexer with all its processes and the private Redis.

    Attributes:
        seconds: duration in seconds.
        processor: processor time of each process, in seconds.
        waited: time that the threads of each process waited for a processor, in seconds.
        peak: peak memory of each process, in KiB.
        idle: share of the machine's processor time that was idle, 0 to 1.
    """

    seconds: float = 0.0
    processor: dict[int, float] = field(default_factory=dict)
    waited: dict[int, float] = field(default_factory=dict)
    peak: dict[int, int] = field(default_factory=dict)
    idle: float = 0.0


def index(paths: Sequence[Path], data: Path) -> Run:
    """Indexes music into a new catalogue and measures the cost."""
    command = [sys.executable, "-m", "segue.indexer", "add", *map(str, paths), "--data", str(data), "--quiet"]
    start, before = time.monotonic(), machine_ticks()
    run = Run()
    with subprocess.Popen(command, env=ENVIRONMENT, start_new_session=True) as process:
        while process.poll() is None:
            sample(run, process.pid, data)
            time.sleep(0.05)
    run.seconds = time.monotonic() - start
    after = machine_ticks()
    run.idle = (after[0] - before[0]) / (after[1] - before[1])
    if process.returncode:
        sys.exit(process.returncode)
    return run


def sample(run: Run, session: int, data: Path) -> None:
    """Stores the cost so far of each process of a session and of the private Redis."""
    try:
        redis_pid = int((data / "redis" / "redis.pid").read_text(encoding="ascii"))
    except (OSError, ValueError):
        redis_pid = -1
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            pid = int(stat.parent.name)
            if int(fields[3]) == session or pid == redis_pid:
                run.processor[pid] = (int(fields[11]) + int(fields[12])) / TICKS
                run.waited[pid] = seconds_waited(stat.parent)
                run.peak[pid] = peak_memory(stat.parent)
        except (OSError, IndexError, StopIteration):
            continue  # the process has just ended


def seconds_waited(proc: Path) -> float:
    """Returns the seconds that the threads of a process waited for a processor."""
    return sum(int(task.read_text(encoding="ascii").split()[1]) for task in proc.glob("task/*/schedstat")) / 1e9


def peak_memory(proc: Path) -> int:
    """Returns the peak memory of a process, in KiB."""
    lines = (proc / "status").read_text(encoding="utf-8").splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmHWM")))


def machine_ticks() -> tuple[int, int]:
    """Returns the idle ticks and all ticks of the processors since the machine started."""
    ticks = [int(word) for word in Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:9]]
    return ticks[3] + ticks[4], sum(ticks)


def bare_work(files: Sequence[Path], model: Model) -> float:
    """Returns the processor time of the bare work per file, in seconds."""
    config, max_windows = model.manifest.features, model.manifest.windows
    start = time.process_time()
    for first in range(0, len(files), MAX_BATCH):
        model.predict([extract(path, config, max_windows).windows for path in files[first : first + MAX_BATCH]])
    return (time.process_time() - start) / len(files)


def rate(folder: Path) -> None:
    """Prints the indexer's processor time and that of the bare work."""
    files = [path for path in find_music([folder]) if isinstance(path, Path)]
    bare_files = files[:: max(1, len(files) // BARE_FILES)][:BARE_FILES]
    model = load_model(MODEL)
    bare_work(bare_files[: 2 * MAX_BATCH], model)
    with tempfile.TemporaryDirectory() as scratch:
        before = bare_work(bare_files, model)
        start = index(files[:START_FILES], Path(scratch) / "start")
        run = index([folder], Path(scratch) / "all")
        after = bare_work(bare_files, model)
    used = sum(run.processor.values())
    per_file = (used - sum(start.processor.values())) / (len(files) - START_FILES)
    cores = os.cpu_count() or 1
    print(f"{len(files)} files, {cores} cores, {run.seconds:.1f} s, {len(files) / run.seconds:.1f} files/s")
    print(f"bare work         {1000 * before:7.1f} and {1000 * after:.1f} ms of one core per file")
    print(f"indexing          {1000 * per_file:7.1f} ms of one core per file")
    print(f"{START_FILES} files alone   {sum(start.processor.values()):7.1f} s of one core")
    print(f"ratio             {2 * per_file / (before + after):7.2f}")
    demand = used + sum(run.waited.values())
    print(f"cores used        {used / run.seconds / cores:7.0%} by the indexer, {1 - run.idle:.0%} by all programs")
    print(f"cores demanded    {demand / run.seconds / cores:7.0%}: used by the indexer, or waited for by it")


def memory() -> None:
    """Prints the peak memory of the indexer's processes over 1,000 and 10,000 files."""
    with tempfile.TemporaryDirectory() as scratch:
        music = Path(scratch) / "music"
        write_clips(music, 10_000)
        runs = [index([music / f"{part}" for part in range(parts)], Path(scratch) / str(parts)) for parts in (1, 10)]
    for files, run in zip((1_000, 10_000), runs, strict=True):
        largest = sorted(run.peak.values(), reverse=True)
        print(f"{files:6} files: {[round(peak / 1024) for peak in largest]} MiB by process, {run.seconds:.0f} s")


def write_clips(folder: Path, count: int) -> None:
    """Writes different clips of 3 s, a thousand to a folder: sections of one rendered recording."""
    recording = (32_767 * render_clip(1, 3.0 + count / 100)).astype(np.int16)
    for number in range(count):
        part = folder / str(number // 1_000)
        part.mkdir(parents=True, exist_ok=True)
        start = number * 22_050 // 100
        soundfile.write(part / f"{number:05}.flac", recording[start : start + 66_150], 22_050, compression_level=0.0)


def main() -> None:
    """Runs the measurement that the command line names."""
    match sys.argv[1:]:
        case ["rate", folder]:
            rate(Path(folder))
        case ["memory"]:
            memory()
        case _:
            sys.exit(__doc__)


main()
