from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from segue.core.errors import WorkerDied, WorkerOutOfMemory, WorkerTimedOut
from segue.core.process_identity import started
from segue.core.process_pool import ProcessPool
from segue.core.worker_process import UNLIMITED, JobLimits
from tests.helpers.waiting import PATIENCE_SECONDS, wait_until

# The processes run what a job says, so that each test can have its own: they do not know this file.
Pool = ProcessPool[str, object]
SLEEP = "__import__('time').sleep(600)"
PID = "__import__('os').getpid()"
MIB = 2**20


def pool(jobs: int = 1, limits: JobLimits = UNLIMITED) -> Pool:
    """Processes that evaluate expressions."""
    return ProcessPool(jobs, eval, limits=limits)


@pytest.fixture
def workers() -> Iterator[Pool]:
    """One process, started when it is needed."""
    with pool() as one:
        yield one


def begun(future: Future[object], path: Path) -> None:
    """Waits until a job that touches a file has begun."""
    wait_until(lambda: path.exists() or future.done())
    assert not future.done()


def touch(path: Path, then: str) -> str:
    """A job that shows that it has begun."""
    return f"[open({str(path)!r}, 'w').close(), {then}]"


def test_an_answer_comes_back(workers: Pool) -> None:
    """What the work makes of a job is its future's result."""
    assert 42 == workers.submit("6 * 7").result(PATIENCE_SECONDS)


def test_a_job_of_many_bytes_arrives_whole() -> None:
    """Sixteen MiB go to a process, which is more than any pipe holds at once."""
    with ProcessPool(1, bytes.__len__) as workers:
        assert 16 * MIB == workers.submit(bytes(16 * MIB)).result(PATIENCE_SECONDS)


def test_a_process_that_hangs_before_its_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is stopped while it is idle costs nothing but time: the job goes to another one."""
    monkeypatch.setattr("segue.core.worker_process._SECONDS_TO_READ", 1)
    with ProcessPool(1, eval) as workers:
        first = workers.submit(PID).result(20)
        os.kill(int(first), signal.SIGSTOP)
        job = PID + " " * 16 * MIB  # more than any pipe holds at once
        second = workers.submit(job).result(60)
    assert second not in {0, first}
    with pytest.raises(ProcessLookupError):
        os.kill(int(first), 0)


def test_what_the_work_raises_is_raised(workers: Pool) -> None:
    """An exception of the work is the future's, and its process goes on."""
    first = workers.submit(PID).result(PATIENCE_SECONDS)
    with pytest.raises(ZeroDivisionError, match="division by zero"):
        workers.submit("1 / 0").result(PATIENCE_SECONDS)
    assert first == workers.submit(PID).result(PATIENCE_SECONDS)


def test_an_error_of_the_system_is_no_death(workers: Pool) -> None:
    """An OSError of the work is not taken for one of the way to its process."""
    with pytest.raises(FileNotFoundError):
        workers.submit("open('/is/not/there')").result(PATIENCE_SECONDS)


def test_a_job_that_kills_its_process_costs_itself_only(workers: Pool) -> None:
    """How the process ended is told; the job behind it is done by another one."""
    died, next_one = workers.submit("__import__('os').abort()"), workers.submit("1 + 1")
    with pytest.raises(WorkerDied, match="SIGABRT"):
        died.result(PATIENCE_SECONDS)
    assert 2 == next_one.result(PATIENCE_SECONDS)


def test_a_process_that_leaves_says_its_code(workers: Pool) -> None:
    """A decoder that calls exit is a death too."""
    with pytest.raises(WorkerDied, match="with exit code 7"):
        workers.submit("__import__('os')._exit(7)").result(PATIENCE_SECONDS)


def test_a_job_that_hangs_is_killed(tmp_path: Path) -> None:
    """It ends at the limit, costs itself only, and what it started itself is gone too."""
    note = tmp_path / "pid"
    start = f"open({str(note)!r}, 'w').write(str(__import__('subprocess').Popen(['sleep', '600']).pid))"
    with pool(limits=JobLimits(seconds=3.0)) as workers:
        hung, next_one = workers.submit(f"[{start}, {SLEEP}]"), workers.submit("1 + 1")
        with pytest.raises(WorkerTimedOut, match="longer than 3 s"):
            hung.result(PATIENCE_SECONDS)
        assert 2 == next_one.result(PATIENCE_SECONDS)
    wait_until(lambda: not _runs(int(note.read_text(encoding="ascii"))))


def test_waiting_is_not_counted() -> None:
    """The time of a job begins when a process begins with it, however long others took before."""
    with pool(limits=JobLimits(seconds=3.0)) as workers:
        jobs = [workers.submit("__import__('time').sleep(0.9)") for _ in range(4)]
        assert [None] * 4 == [job.result(PATIENCE_SECONDS) for job in jobs]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not limit memory that way")
def test_a_job_that_wants_too_much_memory_fails() -> None:
    """It costs itself only, and leaves its process to nobody."""
    with pool(limits=JobLimits(memory_bytes=64 * MIB)) as workers:
        first = workers.submit(PID).result(PATIENCE_SECONDS)
        assert 32 * MIB == workers.submit(f"len(bytearray({32 * MIB}))").result(PATIENCE_SECONDS)
        with pytest.raises(WorkerOutOfMemory, match="64 MiB"):
            workers.submit(f"len(bytearray({128 * MIB}))").result(PATIENCE_SECONDS)
        assert first != workers.submit(PID).result(PATIENCE_SECONDS)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not limit memory that way")
def test_a_file_of_any_size_may_be_mapped(tmp_path: Path) -> None:
    """A file that is mapped to be read is no memory that the job took."""
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(512 * MIB)
    mapped = f"__import__('mmap').mmap(__import__('os').open({str(large)!r}, 0), 0, access=1)"
    with pool(limits=JobLimits(memory_bytes=64 * MIB)) as workers:
        assert 512 * MIB == workers.submit(f"len({mapped})").result(PATIENCE_SECONDS)


def test_a_cancelled_job_never_begins(workers: Pool, tmp_path: Path) -> None:
    """What nobody waits for any more costs nothing."""
    gate, first, second = tmp_path / "gate", tmp_path / "first", tmp_path / "second"
    os.mkfifo(gate)
    held = workers.submit(touch(first, f"open({str(gate)!r}).close()"))
    waiting = workers.submit(touch(second, "1"))
    begun(held, first)

    assert waiting.cancel()
    gate.write_bytes(b"")
    held.result(PATIENCE_SECONDS)
    assert 2 == workers.submit("1 + 1").result(PATIENCE_SECONDS)
    assert not second.exists()


def test_a_process_that_dies_between_jobs_costs_none(workers: Pool) -> None:
    """A dead process is found when the next job is handed to it, and that job goes to another one."""
    workers.submit("1 + 1").result(PATIENCE_SECONDS)
    (worker,) = workers._running
    worker.process.kill()
    worker.process.join()

    assert 2 == workers.submit("1 + 1").result(PATIENCE_SECONDS)


def test_a_process_leaves_signals_to_the_program(workers: Pool) -> None:
    """Ctrl-C and a service manager's SIGTERM come to every process; a worker goes on until the program has decided."""
    pid = workers.submit(PID).result(PATIENCE_SECONDS)
    assert isinstance(pid, int)
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(pid, number)

    assert pid == workers.submit(PID).result(PATIENCE_SECONDS)


def test_leaving_does_not_wait_for_a_job(tmp_path: Path) -> None:
    """The processes are killed, and what waited for one is dropped."""
    with pool() as workers:
        stuck = workers.submit(touch(tmp_path / "begun", SLEEP))
        waiting = workers.submit(SLEEP)
        begun(stuck, tmp_path / "begun")

    with pytest.raises(WorkerDied, match="SIGKILL"):
        stuck.result(0)
    assert waiting.cancelled() or isinstance(waiting.exception(0), WorkerDied)


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_processes_stay_small(workers: Pool) -> None:
    """A worker never loads TensorFlow, though the program has, and has one thread, for its one core."""
    import tensorflow  # noqa: F401, PLC0415 - the program has it loaded when a worker is replaced

    proc = Path("/proc") / str(workers.submit(PID).result(PATIENCE_SECONDS))

    assert "tensorflow" not in (proc / "maps").read_text(encoding="utf-8")
    assert "Threads:\t1\n" in (proc / "status").read_text(encoding="utf-8")


@pytest.mark.parametrize("hung", [False, True], ids=["idle", "hung"])
def test_no_process_outlives_the_program(hung: bool) -> None:
    """When the program is killed its workers end: at once when they are idle, else soon after their job's limit."""
    code = f"""
import time
from segue.core.process_pool import ProcessPool
from segue.core.worker_process import JobLimits
with ProcessPool(1, eval, limits=JobLimits(seconds=1.0)) as workers:
    print(workers.submit({PID!r}).result(), flush=True)
    if {hung}:
        workers.submit({SLEEP!r})
    time.sleep(0.5)
    print("begun", flush=True)
    time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        pid = int(program.stdout.readline())
        assert "begun\n" == program.stdout.readline()
        program.send_signal(signal.SIGKILL)

    wait_until(lambda: not _runs(pid))


def _runs(pid: int) -> bool:
    return started(pid) is not None
