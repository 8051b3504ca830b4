"""A worker process and the pipe to it; what runs in it reports results, errors and lack of memory."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import socket
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Generic, TypeVar

Job = TypeVar("Job")
Answer = TypeVar("Answer")

# A process that hangs in the system, on a disk that does not answer, outlives even SIGKILL; nobody waits for it longer.
_SECONDS_TO_DIE = 5.0
# A process that is idle reads its next job at once; one that takes nothing of it for so long never will.
_SECONDS_TO_READ = 10


@dataclass(frozen=True)
class JobLimits:
    """What one job may take; None is no limit.

    Attributes:
        seconds: from the moment when a process begins with it.
        memory_bytes: on top of what the process holds before its first job. It is kept on Linux only, where the system
            counts memory that can be written (RLIMIT_DATA): files that are mapped to be read may be of any size, which
            a limit of the address space (RLIMIT_AS) would not allow.
    """

    seconds: float | None = None
    memory_bytes: int | None = None

    @property
    def memory(self) -> str:
        """The memory limit as text, in MiB."""
        return f"{(self.memory_bytes or 0) / 2**20:,.0f} MiB"


UNLIMITED = JobLimits()
"""A job may take whatever it takes."""


class WorkerProcess(Generic[Job, Answer]):
    """A process, and the way to it."""

    def __init__(self, work: Callable[[Job], Answer], limits: JobLimits) -> None:
        context = multiprocessing.get_context("forkserver")
        self.connection, theirs = context.Pipe()
        _limit_sending(self.connection)
        self.process: ForkServerProcess = context.Process(target=_serve, args=(theirs, work, limits), daemon=True)
        self.process.start()
        theirs.close()

    def kill(self) -> None:
        """Kills the process, and what it started itself."""
        if self.process.is_alive():
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid or 0, signal.SIGKILL)
            self.process.kill()  # it may not have a group of its own yet

    def end(self) -> str:
        """Waits for the end of a process that is dying or idle, and says how it ended."""
        self.connection.close()
        self.process.join(_SECONDS_TO_DIE)
        return _ending(self.process.exitcode)


def _limit_sending(connection: Connection) -> None:
    """Has what cannot be sent raise BlockingIOError, and not wait for ever."""
    with socket.socket(fileno=os.dup(connection.fileno())) as way:
        way.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", _SECONDS_TO_READ, 0))


@dataclass(frozen=True)
class Done(Generic[Answer]):
    """The result of a job."""

    value: Answer


@dataclass(frozen=True)
class Raised:
    """The exception that a job raised."""

    error: Exception


class OutOfMemory:
    """Marks a job that exceeded its memory limit; its process ends after sending this."""


Reply = Done[Answer] | Raised | OutOfMemory


def _serve(connection: Connection, work: Callable[[Job], Answer], limits: JobLimits) -> None:
    """Does jobs until the other end is gone, or memory is short: what is left of it then is nobody's guess."""
    # What it starts itself is killed with it; and Ctrl-C and Ctrl-Z in a terminal are for the program alone.
    os.setpgid(0, 0)
    # Decoders grumble there about files that they decode all the same; what matters goes back as an answer.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    _limit_memory(limits.memory_bytes)
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        connection.send("ready")
        answer: Reply[Answer] | None = None
        while not isinstance(answer, OutOfMemory):
            answer = _answer(work, connection.recv(), limits.seconds)
            connection.send(answer)


def _answer(work: Callable[[Job], Answer], job: Job, seconds: float | None) -> Reply[Answer]:
    # Should nobody be there any more to kill a process that hangs, the system does.
    signal.setitimer(signal.ITIMER_REAL, seconds + _SECONDS_TO_DIE if seconds else 0)
    try:
        return Done(work(job))
    except MemoryError:
        return OutOfMemory()
    except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to whoever asked
        return Raised(error.with_traceback(None))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _limit_memory(allowed: int | None) -> None:
    if allowed is not None and sys.platform == "linux":
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[5])
        limit = pages * resource.getpagesize() + allowed
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def _ending(code: int | None) -> str:
    if code is not None and code < 0:
        with suppress(ValueError):
            return f"by {signal.Signals(-code).name}"
    return "but does not end" if code is None else f"with exit code {code}"
