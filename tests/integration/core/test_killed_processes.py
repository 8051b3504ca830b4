"""Processes that are killed: the program, its fork server, a worker, or all of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from functools import partial
from multiprocessing import forkserver
from pathlib import Path

import pytest

from segue.core.errors import WorkerKilled, WorkerTimedOut
from segue.core.process_pool import ProcessPool
from segue.core.worker_process import JobLimits
from tests.helpers.machine.pools import (
    HANG,
    PID,
    Pool,
    is_running,
    new_pool,
    pid_of,
    start_child_then,
    touch_then,
    wait_for_start,
)
from tests.helpers.machine.waiting import PATIENCE_SECONDS, wait_until


def pid_in(path: Path) -> int:
    """Waits for the file of ``start_child_then``, and returns the id."""
    wait_until(lambda: path.exists() and bool(path.read_text(encoding="ascii")))
    return int(path.read_text(encoding="ascii"))


def parent_of(pid: int) -> int:
    """Returns the id of a process's parent."""
    return int(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(") ")[2].split()[1])


def kill_fork_server(worker: int) -> None:
    """Kills the fork server of a process, and waits until it has ended."""
    fork_server = parent_of(worker)
    os.kill(fork_server, signal.SIGKILL)
    wait_until(lambda: not is_running(fork_server))


def ends_within_a_second(*pids: int) -> bool:
    """Returns whether all processes are gone within a second."""
    deadline = time.monotonic() + 1.0
    while any(map(is_running, pids)) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not any(map(is_running, pids))


def test_the_fork_server_is_killed(pool: Pool, tmp_path: Path) -> None:
    """Its processes work on; when one dies, another fork server starts the next, with the same environment."""
    environment = "[__import__('os').environ[name] for name in ('OMP_NUM_THREADS', 'MALLOC_TRIM_THRESHOLD_')]"
    pid, before = pid_of(pool), pool.submit(environment).result(PATIENCE_SECONDS)
    kill_fork_server(pid)
    assert pid == pid_of(pool)

    stuck = pool.submit(touch_then(tmp_path / "started", HANG))
    wait_for_start(stuck, tmp_path / "started")
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(WorkerKilled, match="was killed"):
        stuck.result(PATIENCE_SECONDS)
    assert before == pool.submit(environment).result(PATIENCE_SECONDS)


def test_a_fork_server_that_refuses_for_a_moment(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is being killed refuses processes before the system says that it has ended; the next one is in time."""
    kill_itself = "__import__('os').kill(__import__('os').getpid(), 9)"
    with pytest.raises(WorkerKilled):
        pool.submit(kill_itself).result(PATIENCE_SECONDS)
    with monkeypatch.context() as patch:
        # No program has this address.
        patch.setattr(forkserver._forkserver, "_forkserver_address", "\0segue-refuses")
        job = pool.submit("1 + 1")
        time.sleep(0.05)
    assert 2 == job.result(PATIENCE_SECONDS)


def test_a_job_that_hangs_after_its_fork_server_was_killed() -> None:
    """Its process is killed nevertheless."""
    with new_pool(JobLimits(seconds=1.0)) as pool:
        pid = pid_of(pool)
        kill_fork_server(pid)
        with pytest.raises(WorkerTimedOut):
            pool.submit(HANG).result(PATIENCE_SECONDS)
        assert ends_within_a_second(pid)


def test_processes_that_are_killed_at_their_start() -> None:
    """No job and no installation is at fault, so that the caller may try again."""
    kill_itself = partial(eval, "__import__('os').kill(__import__('os').getpid(), 9)")
    with ProcessPool(1, eval, trial=kill_itself) as pool, pytest.raises(WorkerKilled, match="SIGKILL at its start"):
        pool.submit("1 + 1").result(PATIENCE_SECONDS)


def test_a_killed_process_takes_its_children_with_it(pool: Pool, tmp_path: Path) -> None:
    """A program that a process has started ends with it, although only the process was killed."""
    stuck = pool.submit(start_child_then(tmp_path / "pid", HANG))
    child = pid_in(tmp_path / "pid")
    os.kill(parent_of(child), signal.SIGKILL)
    with pytest.raises(WorkerKilled):
        stuck.result(PATIENCE_SECONDS)
    assert ends_within_a_second(child)


def test_a_process_writes_no_file_at_its_start(pool: Pool) -> None:
    """It knows the folder for temporary files; Python would write a file to find it, which a killed process leaves."""
    assert tempfile.gettempdir() == pool.submit("__import__('tempfile').tempdir").result(PATIENCE_SECONDS)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems send no signal when a pipe is closed")
def test_no_process_outlives_the_program(tmp_path: Path) -> None:
    """Workers of a killed program, and the programs that they have started, are gone within a second."""
    code = f"""
import signal
from segue.core.process_pool import ProcessPool
with ProcessPool(2, eval) as pool:
    pool.submit({start_child_then(tmp_path / "pid", HANG)!r})
    print(pool.submit({PID!r}).result(), flush=True)
    signal.pause()
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        idle, child = int(program.stdout.readline()), pid_in(tmp_path / "pid")
        busy = parent_of(child)
        program.send_signal(signal.SIGKILL)

    assert ends_within_a_second(idle, busy, child)
