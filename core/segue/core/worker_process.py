"""A worker process, which receives jobs and sends results and errors through a pipe."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import pickle
import resource
import signal
import socket
import struct
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Generic, TypeVar

from segue.core.errors import EnvironmentUnusable, SegueError, WorkerDied, WorkerKilled
from segue.core.process_identity import describe_end, was_killed

Job = TypeVar("Job")
Result = TypeVar("Result")

SEND_SECONDS = 10
"""Seconds until a process that does not read its job counts as hung: an idle process reads it at once."""
# A process that hangs in a system call, on a disk that does not answer, survives even SIGKILL.
_END_SECONDS = 5.0
# multiprocessing's code for a process whose end it cannot know, since the fork server was killed before.
_UNKNOWN_CODE = 255


@dataclass(frozen=True)
class JobLimits:
    """The limits of one job; None is no limit.

    Attributes:
        seconds: time from the moment when a process starts with the job.
        memory_bytes: memory on top of what the process holds after its trial. Only Linux enforces it: there the
            system counts writable memory (RLIMIT_DATA). Files that are mapped for reading may have any size, which a
            limit of the address space (RLIMIT_AS) would not allow.
    """

    seconds: float | None = None
    memory_bytes: int | None = None

    @property
    def memory(self) -> str:
        """The memory limit as text, in MiB."""
        return f"{(self.memory_bytes or 0) / 2**20:,.0f} MiB"


UNLIMITED = JobLimits()
"""No limits."""


class WorkerProcess(Generic[Job, Result]):
    """A process that runs jobs, and the connection to it.

    Attributes:
        connection: sends jobs and receives a ``Reply`` for each, once ``wait_until_ready`` has returned.
        process: the process.
    """

    def __init__(self, work: Work[Job, Result], limits: JobLimits, send_seconds: int = SEND_SECONDS) -> None:
        """Starts the process.

        Args:
            work: what it does.
            limits: limits of each job.
            send_seconds: seconds after which sending a job raises BlockingIOError.
        """
        context = multiprocessing.get_context("forkserver")
        self.connection, remote = context.Pipe()
        _limit_sending(self.connection, send_seconds)
        # Pickled here, so that the process can report an error of unpickling, which imports the work's modules.
        arguments = (remote, pickle.dumps(work), limits, _temporary_folder())
        self.process: ForkServerProcess = context.Process(target=_serve, args=arguments, daemon=True)
        self.process.start()
        remote.close()

    def wait_until_ready(self) -> str:
        """Waits until the process has started, and returns an empty text, or the reason why it cannot work.

        Raises:
            EOFError: it died.
        """
        problem: str = self.connection.recv()
        return problem

    def kill(self) -> None:
        """Kills the process and the processes that it started."""
        self._kill_group()
        self.process.kill()  # it may not have its own group yet

    def end(self) -> int | None:
        """Waits until a dying or idle process ends, and kills the processes that it leaves.

        Returns:
            Its exit code, the negative number of the signal that ended it, or None if it does not end, or if nothing
            knows how it ended, since the fork server was killed.
        """
        self.connection.close()
        self.process.join(_END_SECONDS)
        self._kill_group()
        return None if self.process.exitcode == _UNKNOWN_CODE else self.process.exitcode

    def _kill_group(self) -> None:
        """Kills the group of the process, which may have outlived it; its number is in use for as long as it exists."""
        if self.process.pid:
            with suppress(ProcessLookupError, PermissionError):  # macOS forbids signals to a group of zombies
                os.killpg(self.process.pid, signal.SIGKILL)


def _temporary_folder() -> str | None:
    """Returns the folder for temporary files, or None if there is none."""
    with suppress(FileNotFoundError):
        return tempfile.gettempdir()
    return None


def _limit_sending(connection: Connection, seconds: int) -> None:
    """Makes sending raise BlockingIOError after some seconds instead of waiting forever."""
    with socket.socket(fileno=os.dup(connection.fileno())) as duplicate:
        duplicate.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", seconds, 0))


@dataclass(frozen=True)
class Work(Generic[Job, Result]):
    """The task of a worker process. It is pickled, and so are jobs, results and exceptions.

    Attributes:
        function: the function that it runs on each job.
        trial: called once at its start: if it raises an error, the process cannot work on this machine.
    """

    function: Callable[[Job], Result]
    trial: Callable[[], object] = int


@dataclass(frozen=True)
class Done(Generic[Result]):
    """The result of a job."""

    value: Result


@dataclass(frozen=True)
class Raised:
    """The exception that a job raised."""

    error: Exception


class OutOfMemory:
    """Marks a job that exceeded its memory limit; its process ends after sending this."""


Reply = Done[Result] | Raised | OutOfMemory


def _serve(connection: Connection, pickled_work: bytes, limits: JobLimits, temporary_folder: str | None) -> None:
    """Runs jobs until the connection is closed or a job runs out of memory, after which no state can be trusted."""
    # With a group of its own, it is killed together with the processes that it starts. Ctrl-C and Ctrl-Z in a terminal
    # then reach the program only.
    os.setpgid(0, 0)
    _end_with_program()
    # To find it, Python writes a file there, which would be left if the process was killed at that moment.
    tempfile.tempdir = temporary_folder
    # Decoders write warnings there about files that they decode nevertheless. Errors are sent as replies.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        work, problem = _start(pickled_work)
        _limit_memory(limits.memory_bytes)
        connection.send(problem)
        reply: Reply[object] | None = None
        while work and not isinstance(reply, OutOfMemory):
            reply = _run_job(work.function, connection.recv(), limits.seconds)
            connection.send(reply)


def _end_with_program() -> None:
    """Makes the system kill this process and those that it starts when the program ends, also by SIGKILL.

    The program holds the other end of a pipe until it ends. Only Linux sends a chosen signal when that end is closed;
    elsewhere the timer of the job ends this process.
    """
    program = multiprocessing.parent_process()
    if sys.platform != "linux" or program is None:
        return
    pipe = program.sentinel
    fcntl.fcntl(pipe, fcntl.F_SETOWN, -os.getpid())
    fcntl.fcntl(pipe, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(pipe, fcntl.F_SETFL, fcntl.fcntl(pipe, fcntl.F_GETFL) | os.O_ASYNC)
    if wait([pipe], 0):  # it ended before
        os.killpg(0, signal.SIGKILL)


def _start(pickled_work: bytes) -> tuple[Work[object, object] | None, str]:
    """Returns the work and an empty text, or None and the reason why this process cannot do it."""
    try:
        work: Work[object, object] = pickle.loads(pickled_work)  # noqa: S301 - pickled by the program itself
        work.trial()
    except Exception as error:  # noqa: BLE001 - the program reports it
        return None, f"{type(error).__name__}: {error}"
    return work, ""


def _run_job(work: Callable[[Job], Result], job: Job, seconds: float | None) -> Reply[Result]:
    # If the program that would kill a hung process is gone, the system kills it by this timer.
    signal.setitimer(signal.ITIMER_REAL, seconds + _END_SECONDS if seconds else 0)
    try:
        return Done(work(job))
    except MemoryError:
        return OutOfMemory()
    except Exception as error:  # noqa: BLE001 - every error of the work goes to its caller
        return Raised(error.with_traceback(None))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _limit_memory(memory_bytes: int | None) -> None:
    if memory_bytes is not None and sys.platform == "linux":
        data_pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[5])
        limit = data_pages * resource.getpagesize() + memory_bytes
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def death(exit_code: int | None) -> WorkerDied:
    """Returns the error of a job whose process ended with this code; None is unknown."""
    text = f"The process that worked on it {_end(exit_code)}"
    if exit_code is None or was_killed(exit_code):
        return WorkerKilled(f"{text}, perhaps because this machine lacks memory. Try it again.")
    return WorkerDied(f"{text}.")


def failed_start(exit_code: int | None) -> SegueError:
    """Returns the error of a process that ended before it was ready."""
    if exit_code is None or was_killed(exit_code):
        text = f"The process that should work on it {_end(exit_code)} at its start"
        return WorkerKilled(f"{text}, perhaps because this machine lacks memory. Try it again.")
    return unusable(f"it {describe_end(exit_code)}")


def _end(exit_code: int | None) -> str:
    # Without a code, the fork server was killed, which alone would have known it.
    return "was killed" if exit_code is None else describe_end(exit_code)


def unusable(problem: str) -> EnvironmentUnusable:
    """Returns the error of a machine on which no process can start."""
    return EnvironmentUnusable(
        f"No worker process can start on this machine ({problem.rstrip('.')}). Check its memory, its limits on "
        "processes and open files, its temporary folder and the installation of Segue."
    )
