from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import soundfile

from segue.core.features import FeatureConfig
from segue.core.render import render_clip
from segue.indexer.work import Examined, Failure
from segue.indexer.workers import Workers


@pytest.fixture
def workers() -> Iterator[Workers]:
    """One process, started when it is needed."""
    with Workers(1, FeatureConfig(), 10) as pool:
        yield pool


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A clip of four seconds."""
    path = tmp_path / "clip.flac"
    soundfile.write(path, render_clip(1, 4.0), 22_050)
    return path


@pytest.fixture
def trap(tmp_path: Path) -> Path:
    """A file that whoever opens it waits in for ever."""
    path = tmp_path / "trap.wav"
    os.mkfifo(path)
    return path


def until(true: Callable[[], bool]) -> None:
    """Waits for up to 20 s."""
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def test_a_file_that_kills_its_process_costs_itself_only(workers: Workers, clip: Path, trap: Path) -> None:
    """The file that a process died of is named; the ones before and behind it are examined."""
    first = workers.submit(clip).result(20)
    trapped = workers.submit(trap)

    def died_of_it() -> bool:
        for process in list(workers._running):
            process.kill()
        return trapped.done()

    until(died_of_it)
    died = trapped.result()

    assert isinstance(first, Examined)
    assert isinstance(died, Failure)
    assert (str(trap), "WORKER_DIED") == (died.path, died.reason)
    assert "SIGKILL" in died.message
    assert isinstance(workers.submit(clip).result(20), Examined)


def test_a_process_that_dies_between_files_costs_none(workers: Workers, clip: Path) -> None:
    """A dead process is found when the next file is handed to it, and that file goes to another one."""
    assert isinstance(workers.submit(clip).result(20), Examined)
    (process,) = workers._running
    process.kill()
    process.join()

    assert isinstance(workers.submit(clip).result(20), Examined)


def test_a_process_leaves_signals_to_the_indexer(workers: Workers, clip: Path) -> None:
    """Ctrl-C and a service manager's SIGTERM come to every process; a worker goes on until the indexer has decided."""
    assert isinstance(workers.submit(clip).result(20), Examined)
    (process,) = workers._running
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(process.pid or 0, number)

    assert isinstance(workers.submit(clip).result(20), Examined)
    assert {process} == workers._running


def test_leaving_does_not_wait_for_a_file(clip: Path, trap: Path) -> None:
    """After Ctrl-C no one waits for a long file to be decoded in vain."""
    with Workers(1, FeatureConfig(), 10) as pool:
        pool.submit(clip).result(20)
        stuck = pool.submit(trap)
        waiting = pool.submit(clip)
        started = time.monotonic()

    assert time.monotonic() - started < 5
    assert stuck.done()
    assert waiting.cancelled() or waiting.done()


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_processes_stay_small(workers: Workers, clip: Path) -> None:
    """A worker never loads TensorFlow, though the indexer has, and has one thread, for its one core."""
    import tensorflow  # noqa: F401, PLC0415 - the indexer has it loaded when a worker is replaced

    workers.submit(clip).result(20)
    (process,) = workers._running
    proc = Path("/proc") / str(process.pid)

    assert "tensorflow" not in (proc / "maps").read_text(encoding="utf-8")
    assert "Threads:\t1\n" in (proc / "status").read_text(encoding="utf-8")


def test_no_process_outlives_the_indexer(clip: Path) -> None:
    """When the indexer is killed its workers are gone at once."""
    code = """
import sys, time
from pathlib import Path
from segue.core.features import FeatureConfig
from segue.indexer.workers import Workers
with Workers(2, FeatureConfig(), 10) as workers:
    files = [workers.submit(Path(sys.argv[1])) for _ in range(8)]
    [file.result() for file in files]
    print(*[process.pid for process in workers._running], flush=True)
    time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", code, str(clip)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert 2 == len(pids)
        parent.send_signal(signal.SIGKILL)

    until(lambda: not any(_runs(pid) for pid in pids))


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
