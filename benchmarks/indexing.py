"""What indexing costs beside the bare work on each file, and how much memory it takes, in one run. Linux only.

    python benchmarks/indexing.py rate FOLDER       music to be indexed; at least some hundred files
    python benchmarks/indexing.py memory            1,000 and 10,000 rendered files of 3 s

SEGUE_MODEL names the network, as it does for the indexer.

The bare work is decoding, the front end and the network, in this process, a batch of sixteen files at a time. It is
measured before the indexing and after it. What the indexer needs to start is taken off: a run over 33 files is compared
with one over all.
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

# The bare work is done in one thread: threads that wait for each other would take time that it does not need.
ENVIRONMENT = dict(os.environ)
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
    os.environ[name] = "1"

import numpy as np  # noqa: E402 - they read the environment
import soundfile  # noqa: E402 - likewise

from segue.core.features.extract import extract  # noqa: E402 - likewise
from segue.core.model.saved_model import Model  # noqa: E402 - likewise
from segue.core.paths import DEFAULT_MODEL, resolve_model  # noqa: E402 - likewise
from segue.core.testing.synthetic_clips import render_clip  # noqa: E402 - likewise
from segue.indexer.pipeline.pipeline import BATCH  # noqa: E402 - likewise
from segue.indexer.pipeline.scan import find_music  # noqa: E402 - likewise

TICKS = os.sysconf("SC_CLK_TCK")
BARE_FILES = 160
# Enough that the network meets batches of every size that it will meet later.
FEW = 2 * BATCH + 1
MODEL = resolve_model(os.environ.get("SEGUE_MODEL") or DEFAULT_MODEL)


@dataclass
class Run:
    """A run of segue-indexer and all that it started.

    Attributes:
        seconds: how long it took.
        processor: seconds of processor time by process, the private Redis among them.
        waited: seconds in which a thread of a process could have run, and others had the processor, by process.
        peak: the most memory of each process, in KiB.
        idle: the share of the whole machine's processor time in which nobody wanted it.
    """

    seconds: float = 0.0
    processor: dict[int, float] = field(default_factory=dict)
    waited: dict[int, float] = field(default_factory=dict)
    peak: dict[int, int] = field(default_factory=dict)
    idle: float = 0.0


def index(paths: Sequence[Path], data: Path) -> Run:
    """Indexes music into a new catalogue."""
    command = [sys.executable, "-m", "segue.indexer", "add", *map(str, paths), "--data", str(data), "--quiet"]
    started, idle = time.monotonic(), machine()
    run = Run()
    with subprocess.Popen(command, env=ENVIRONMENT, start_new_session=True) as process:
        while process.poll() is None:
            look(run, process.pid, data)
            time.sleep(0.05)
    run.seconds = time.monotonic() - started
    after = machine()
    run.idle = (after[0] - idle[0]) / (after[1] - idle[1])
    if process.returncode:
        sys.exit(process.returncode)
    return run


def look(run: Run, session: int, data: Path) -> None:
    """Notes what the processes of a session have taken so far; a process that ends is forgotten with its last look."""
    try:
        redis = int((data / "redis" / "redis.pid").read_text(encoding="ascii"))
    except (OSError, ValueError):
        redis = -1
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            pid = int(stat.parent.name)
            if int(fields[3]) == session or pid == redis:
                run.processor[pid] = (int(fields[11]) + int(fields[12])) / TICKS
                run.waited[pid] = waited(stat.parent)
                run.peak[pid] = high_water(stat.parent)
        except (OSError, IndexError, StopIteration):
            continue  # it has just ended


def waited(proc: Path) -> float:
    """Seconds that the threads of a process have waited for a processor."""
    return sum(int(task.read_text(encoding="ascii").split()[1]) for task in proc.glob("task/*/schedstat")) / 1e9


def high_water(proc: Path) -> int:
    """The most memory that a process has held, in KiB."""
    lines = (proc / "status").read_text(encoding="utf-8").splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmHWM")))


def machine() -> tuple[int, int]:
    """Ticks of all processors since the start: idle, and all."""
    ticks = [int(word) for word in Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:9]]
    return ticks[3] + ticks[4], sum(ticks)


def bare(files: Sequence[Path], model: Model) -> float:
    """Processor seconds a file of the bare work."""
    config, most = model.manifest.features, model.manifest.windows
    started = time.process_time()
    for start in range(0, len(files), BATCH):
        model.predict([extract(path, config, most).windows for path in files[start : start + BATCH]])
    return (time.process_time() - started) / len(files)


def rate(folder: Path) -> None:
    """Prints the indexer's processor time beside that of the bare work."""
    files = [path for path in find_music([folder]) if isinstance(path, Path)]
    sample = files[:: max(1, len(files) // BARE_FILES)][:BARE_FILES]
    model = Model.load(MODEL)
    bare(sample[: 2 * BATCH], model)
    with tempfile.TemporaryDirectory() as scratch:
        before = bare(sample, model)
        start = index(files[:FEW], Path(scratch) / "few")
        run = index([folder], Path(scratch) / "all")
        after = bare(sample, model)
    needed = sum(run.processor.values())
    each = (needed - sum(start.processor.values())) / (len(files) - FEW)
    cores = os.cpu_count() or 1
    print(f"{len(files)} files, {cores} cores, {run.seconds:.1f} s, {len(files) / run.seconds:.1f} files a second")
    print(f"bare work         {1000 * before:7.1f} and {1000 * after:.1f} ms of one core a file")
    print(f"indexing          {1000 * each:7.1f} ms of one core a file")
    print(f"{FEW} files alone   {sum(start.processor.values()):7.1f} s of one core")
    print(f"ratio             {2 * each / (before + after):7.2f}")
    wanted = needed + sum(run.waited.values())
    print(f"cores busy        {needed / run.seconds / cores:7.0%} with this, {1 - run.idle:.0%} with anything")
    print(f"cores wanted      {wanted / run.seconds / cores:7.0%}: busy with this, or this waiting for them")


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
    """Different clips of 3 s, a thousand to a folder: pieces of one rendered recording from different places."""
    recording = (32_767 * render_clip(1, 3.0 + count / 100)).astype(np.int16)
    for number in range(count):
        shelf = folder / str(number // 1_000)
        shelf.mkdir(parents=True, exist_ok=True)
        start = number * 22_050 // 100
        soundfile.write(shelf / f"{number:05}.flac", recording[start : start + 66_150], 22_050, compression_level=0.0)


def main() -> None:
    """Measures what is asked for."""
    match sys.argv[1:]:
        case ["rate", folder]:
            rate(Path(folder))
        case ["memory"]:
            memory()
        case _:
            sys.exit(__doc__)


main()
