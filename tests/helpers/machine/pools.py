"""Pools whose processes evaluate expressions, so that each test can have its own work: they cannot import a test."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path

from segue.core.process_identity import start_time
from segue.core.process_pool import ProcessPool
from segue.core.worker_process import SEND_SECONDS, UNLIMITED, JobLimits
from tests.helpers.machine.waiting import PATIENCE_SECONDS, wait_until

Pool = ProcessPool[str, object]
HANG = "__import__('signal').pause()"
PID = "__import__('os').getpid()"
MIB = 2**20


def new_pool(limits: JobLimits = UNLIMITED, send_seconds: int = SEND_SECONDS) -> Pool:
    """Returns a pool of one process that evaluates expressions."""
    return ProcessPool(1, eval, limits=limits, send_seconds=send_seconds)


def pid_of(pool: Pool) -> int:
    """Returns the id of the pool's process."""
    pid = pool.submit(PID).result(PATIENCE_SECONDS)
    assert isinstance(pid, int)
    return pid


def wait_for_start(future: Future[object], path: Path) -> None:
    """Waits until a job of ``touch_then`` has started."""
    wait_until(lambda: path.exists() or future.done())
    assert not future.done()


def touch_then(path: Path, expression: str) -> str:
    """Returns a job that creates a file when it starts."""
    return f"[open({str(path)!r}, 'w').close(), {expression}]"


def start_child_then(path: Path, expression: str) -> str:
    """Returns a job that starts a program, and writes its id into a file."""
    return f"[open({str(path)!r}, 'w').write(str(__import__('subprocess').Popen(['sleep', '600']).pid)), {expression}]"


def is_running(pid: int) -> bool:
    """Returns whether a process exists and is not a zombie."""
    return start_time(pid) is not None
