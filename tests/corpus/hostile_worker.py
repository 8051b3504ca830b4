"""Analyzes hostile inputs in one process: ``python -m tests.corpus.hostile_worker FOLDER COUNT SEED PORT``.

Started by ``tests.corpus.hostile``, which watches the files and the sockets that it opens.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter
from pathlib import Path

from segue.core.errors import AudioError
from segue.core.features.config import FeatureConfig
from segue.core.features.extract import extract
from tests.corpus.documents import Targets
from tests.corpus.hostile_inputs import hostile_inputs

MARKER = "hostile-inputs-begin"
CLIPS = "clips"
INPUT = "input.bin"
SONG = "song.m4a"
CURRENT = "current.txt"
_WINDOWS = 5


def _status(audio: Path | bytes) -> str:
    """Returns the reason of the error, or "ok"; every other exception ends the program."""
    try:
        extract(audio, FeatureConfig(), _WINDOWS)
    except AudioError as error:
        return error.reason
    return "ok"


def _resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _leftovers() -> tuple[int, str]:
    """Returns the number of open descriptors, and the ids of the child processes."""
    pid = os.getpid()
    return len(os.listdir("/proc/self/fd")), Path(f"/proc/self/task/{pid}/children").read_text()  # noqa: PTH208 - names, not paths


def _analyze(content: bytes, path: Path, number: int) -> str:
    """Analyzes every second input as bytes, and the others as a file."""
    if number % 2 == 0:
        return _status(content)
    path.write_bytes(content)
    return _status(path)


def main(folder: Path, count: int, seed: int, port: int) -> None:
    """Prints a JSON object with the results."""
    clips = {path.name: path.read_bytes() for path in sorted((folder / CLIPS).iterdir())}
    path, statuses, slowest, at_start = folder / INPUT, Counter[str](), (0.0, ""), _resident_mib()
    (folder / CURRENT).write_text("the honest clips")
    for number, clip in enumerate(clips.values()):
        _analyze(clip, path, number)
    clean, problems = _leftovers(), []
    (folder / MARKER).touch()
    for number, (name, content) in enumerate(hostile_inputs(clips, Targets(folder / SONG, port), count, seed)):
        (folder / CURRENT).write_text(name)
        start = time.monotonic()
        statuses[_analyze(content, path, number)] += 1
        slowest = max(slowest, (round(time.monotonic() - start, 1), name))
        if (after := _leftovers()) != clean:
            problems.append(f"{name}: {after[0] - clean[0]} descriptors and processes {after[1] or 'none'} are left")
            clean = after
        if number == count // 10:
            at_start = _resident_mib()
        if number % 100 == 99:
            print(f"{number + 1}: {_resident_mib():.0f} MiB, {dict(statuses)}", *problems, file=sys.stderr)  # noqa: T201 - shows progress
    growth = round(_resident_mib() - at_start, 1)
    print(json.dumps({"statuses": statuses, "problems": problems, "slowest": slowest, "growth_mib": growth}))  # noqa: T201 - its result


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
