from __future__ import annotations

import os
import signal
import sys
from functools import partial
from pathlib import Path

import pytest

from segue.core.errors import EnvironmentUnusable, WorkerDied, WorkerKilled, WorkerOutOfMemory, WorkerTimedOut
from segue.core.process_pool import ProcessPool
from segue.core.worker_process import JobLimits
from tests.helpers.machine.commands import output_of
from tests.helpers.machine.pools import (
    HANG,
    MIB,
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


def test_a_result_is_returned(pool: Pool) -> None:
    """The result of a job is the result of its future."""
    assert 42 == pool.submit("6 * 7").result(PATIENCE_SECONDS)


def test_a_large_job_arrives_whole() -> None:
    """A process gets a job of 16 MiB, which is more than any pipe can buffer."""
    with ProcessPool(1, bytes.__len__) as pool:
        assert 16 * MIB == pool.submit(bytes(16 * MIB)).result(PATIENCE_SECONDS)


def test_a_process_that_hangs_before_its_job() -> None:
    """A process that was suspended while idle is replaced, and its job runs in the new one."""
    with new_pool(send_seconds=1) as pool:
        first = pid_of(pool)
        os.kill(first, signal.SIGSTOP)
        large_job = PID + " " * 16 * MIB  # more than any pipe can buffer
        second = pool.submit(large_job).result(PATIENCE_SECONDS)
    assert second not in {0, first}
    assert not is_running(first)


def test_an_error_of_the_work(pool: Pool) -> None:
    """The future raises the exception of the work, and the process goes on."""
    pid = pid_of(pool)
    with pytest.raises(ZeroDivisionError, match="division by zero"):
        pool.submit("1 / 0").result(PATIENCE_SECONDS)
    assert pid == pid_of(pool)


def test_an_error_of_the_system(pool: Pool) -> None:
    """An OSError of the work is not mistaken for one of the connection to its process."""
    with pytest.raises(FileNotFoundError):
        pool.submit("open('/is/not/there')").result(PATIENCE_SECONDS)


def test_a_job_that_kills_its_process(pool: Pool) -> None:
    """The error says how the process ended; the next job runs in a new process."""
    fatal, next_one = pool.submit("__import__('os').abort()"), pool.submit("1 + 1")
    with pytest.raises(WorkerDied, match="SIGABRT"):
        fatal.result(PATIENCE_SECONDS)
    assert 2 == next_one.result(PATIENCE_SECONDS)


def test_a_job_whose_process_is_killed(pool: Pool) -> None:
    """Unlike a crash, it is no fault of the job."""
    with pytest.raises(WorkerKilled, match="SIGKILL"):
        pool.submit("__import__('os').kill(__import__('os').getpid(), 9)").result(PATIENCE_SECONDS)
    with pytest.raises(WorkerDied) as crashed:
        pool.submit("__import__('os').abort()").result(PATIENCE_SECONDS)
    assert not isinstance(crashed.value, WorkerKilled)


def test_a_job_that_exits(pool: Pool) -> None:
    """A decoder that calls exit has died; the error has the exit code."""
    with pytest.raises(WorkerDied, match="with exit code 7"):
        pool.submit("__import__('os')._exit(7)").result(PATIENCE_SECONDS)


def test_a_job_that_hangs(tmp_path: Path) -> None:
    """A job is killed at its time limit with the processes that it started; the next job is not affected."""
    pid_file = tmp_path / "pid"
    with new_pool(JobLimits(seconds=3.0)) as pool:
        hung, next_one = pool.submit(start_child_then(pid_file, HANG)), pool.submit("1 + 1")
        with pytest.raises(WorkerTimedOut, match="longer than 3 s"):
            hung.result(PATIENCE_SECONDS)
        assert 2 == next_one.result(PATIENCE_SECONDS)
    wait_until(lambda: not is_running(int(pid_file.read_text(encoding="ascii"))))


def test_the_time_limit_does_not_include_waiting() -> None:
    """The time of a job begins when a process starts with it, however long the jobs before it took."""
    with new_pool(JobLimits(seconds=3.0)) as pool:
        jobs = [pool.submit("__import__('time').sleep(0.9)") for _ in range(4)]
        assert [None] * 4 == [job.result(PATIENCE_SECONDS) for job in jobs]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not limit memory that way")
def test_a_job_that_exceeds_its_memory() -> None:
    """Only this job fails, and its process is replaced."""
    with new_pool(JobLimits(memory_bytes=64 * MIB)) as pool:
        pid = pid_of(pool)
        assert 32 * MIB == pool.submit(f"len(bytearray({32 * MIB}))").result(PATIENCE_SECONDS)
        with pytest.raises(WorkerOutOfMemory, match="64 MiB"):
            pool.submit(f"len(bytearray({128 * MIB}))").result(PATIENCE_SECONDS)
        assert pid != pid_of(pool)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not limit memory that way")
def test_a_mapped_file_of_any_size(tmp_path: Path) -> None:
    """A file that is mapped for reading does not count as memory of the job."""
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(512 * MIB)
    mapped = f"__import__('mmap').mmap(__import__('os').open({str(large)!r}, 0), 0, access=1)"
    with new_pool(JobLimits(memory_bytes=64 * MIB)) as pool:
        assert 512 * MIB == pool.submit(f"len({mapped})").result(PATIENCE_SECONDS)


def test_a_cancelled_job_never_starts(pool: Pool, tmp_path: Path) -> None:
    """A job that is cancelled while it waits is not run."""
    gate, first, second = tmp_path / "gate", tmp_path / "first", tmp_path / "second"
    os.mkfifo(gate)
    running = pool.submit(touch_then(first, f"open({str(gate)!r}).close()"))
    waiting = pool.submit(touch_then(second, "1"))
    wait_for_start(running, first)

    assert waiting.cancel()
    gate.write_bytes(b"")
    running.result(PATIENCE_SECONDS)
    assert 2 == pool.submit("1 + 1").result(PATIENCE_SECONDS)
    assert not second.exists()


def test_a_process_that_dies_between_jobs(pool: Pool) -> None:
    """The next job finds that its process is dead, and runs in a new one."""
    pid = pid_of(pool)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not is_running(pid))

    assert 2 == pool.submit("1 + 1").result(PATIENCE_SECONDS)


def test_a_process_ignores_interrupts(pool: Pool) -> None:
    """A terminal and a service manager send SIGINT and SIGTERM to every process; the program alone acts on them."""
    pid = pid_of(pool)
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(pid, number)

    assert pid == pid_of(pool)


def test_closing_does_not_wait_for_a_job(tmp_path: Path) -> None:
    """The processes are killed, and waiting jobs are dropped."""
    with new_pool() as pool:
        stuck = pool.submit(touch_then(tmp_path / "started", HANG))
        waiting = pool.submit(HANG)
        wait_for_start(stuck, tmp_path / "started")

    with pytest.raises(WorkerDied, match="SIGKILL"):
        stuck.result(0)
    assert waiting.cancelled() or isinstance(waiting.exception(0), WorkerDied)


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_processes_are_small(pool: Pool) -> None:
    """A worker never loads TensorFlow, although the program has, and has one thread for its one core."""
    import tensorflow  # noqa: F401, PLC0415 - the program has loaded it when it replaces a worker

    proc = Path("/proc") / str(pid_of(pool))

    assert "tensorflow" not in (proc / "maps").read_text(encoding="utf-8")
    assert "Threads:\t1\n" in (proc / "status").read_text(encoding="utf-8")


def test_a_machine_on_which_no_process_can_work() -> None:
    """A trial that fails is no fault of the job: the error has its cause, and a later job tries again."""
    with ProcessPool(1, eval, trial=partial(open, "/is/not/there")) as pool:
        for _ in range(2):
            with pytest.raises(EnvironmentUnusable, match=r"FileNotFoundError.*'/is/not/there'"):
                pool.submit("1 + 1").result(PATIENCE_SECONDS)


def test_processes_that_die_at_their_start() -> None:
    """The error of the job says how they end."""
    with (
        ProcessPool(1, eval, trial=partial(os._exit, 7)) as pool,
        pytest.raises(EnvironmentUnusable, match="it ended with exit code 7"),
    ):
        pool.submit("1 + 1").result(PATIENCE_SECONDS)


def test_one_process_that_dies_at_its_start(tmp_path: Path) -> None:
    """The system may have killed it to free memory; the job runs in a second one."""
    marker = str(tmp_path / "first")
    dies_once = f"__import__('os').path.exists({marker!r}) or [open({marker!r}, 'w'), __import__('os')._exit(7)]"
    with ProcessPool(1, eval, trial=partial(eval, dies_once)) as pool:
        assert 2 == pool.submit("1 + 1").result(PATIENCE_SECONDS)
    assert Path(marker).exists()


@pytest.mark.parametrize("bytes_of_tmpdir", [1, 200])
def test_any_length_of_the_temporary_folder(bytes_of_tmpdir: int, tmp_path: Path) -> None:
    """Processes start whatever TMPDIR is, although the path of their server's socket is limited to 108 bytes."""
    folder = tmp_path / ("t" * bytes_of_tmpdir)
    folder.mkdir()
    code = (
        "import tempfile; from segue.core.process_pool import ProcessPool\n"
        "with ProcessPool(1, eval) as pool: print(pool.submit('6 * 7').result(), tempfile.gettempdir())"
    )
    assert f"42 {folder}\n" == output_of(sys.executable, "-c", code, environment={"TMPDIR": str(folder)})
