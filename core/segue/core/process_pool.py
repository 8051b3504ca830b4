"""Processes that do one kind of work: a job that crashes, hangs or eats memory costs itself and nothing else."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import socket
import struct
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from types import TracebackType
from typing import Generic, TypeVar

from segue.core.errors import WorkerDied, WorkerOutOfMemory, WorkerTimedOut

Job = TypeVar("Job")
Answer = TypeVar("Answer")

# The processes are many already; a pool of threads in each would only make them wait for each other.
_ONE_THREAD_EACH = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "NUMBA_NUM_THREADS"), "1"
)
# What one job gave back the next one takes: glibc would return it to the system, and fault in every page again. It is
# told in the environment, and by nobody else's C library understood.
_KEEP_MEMORY = {"MALLOC_TRIM_THRESHOLD_": str(2**26), "MALLOC_MMAP_THRESHOLD_": str(2**25)}
# A process that hangs in the system, on a disk that does not answer, outlives even SIGKILL; nobody waits for it longer.
_SECONDS_TO_DIE = 5.0
# A process that is idle reads its next job at once; one that takes nothing of it for so long never will.
_SECONDS_TO_READ = 10


@dataclass(frozen=True)
class Limits:
    """What one job may take; None is no limit.

    Attributes:
        seconds: from the moment when a process begins with it.
        memory_bytes: on top of what the process holds before its first job. It is kept on Linux only, where the system
            counts memory that can be written (RLIMIT_DATA): files that are mapped to be read may be of any size, which
            a limit of the address space (RLIMIT_AS) would not allow.
    """

    seconds: float | None = None
    memory_bytes: int | None = None


UNLIMITED = Limits()
"""A job may take whatever it takes."""


class Workers(Generic[Job, Answer]):
    """A pool of processes, each fed by a thread of its own.

    A thread waits for its process only, so it knows which job a process died of, and starts the next one. The processes
    are forked from a server that holds nothing but what they need, whatever is loaded here.
    """

    def __init__(
        self, jobs: int, work: Callable[[Job], Answer], *, preload: Sequence[str] = (), limits: Limits = UNLIMITED
    ) -> None:
        """Prepares the processes; none is started before there is a job.

        Args:
            jobs: how many jobs are done at the same time, at least 1.
            work: what is done with a job, in another process: it is pickled, and so are jobs, answers and exceptions.
            preload: modules that are loaded once, and shared by every process.
            limits: what one job may take.
        """
        self.jobs = jobs
        self._work = work
        self._preload = list(preload)
        self._limits = limits
        self._threads = ThreadPoolExecutor(jobs, thread_name_prefix="worker")
        self._mine = threading.local()
        self._lock = threading.Lock()
        self._running: set[_Worker[Job, Answer]] = set()
        self._started = False
        self._closed = False

    def start(self) -> None:
        """Starts the server that the processes are forked from, so that the first job need not wait for its imports."""
        if not self._started:
            _start_fork_server(self._preload)
            self._started = True

    def submit(self, job: Job) -> Future[Answer]:
        """Does a job as soon as a process is free; a future that is cancelled before that never begins.

        Returns:
            What becomes of it. It raises what the work raises, and

            - WorkerDied: the process died of the job, or the pool was closed in the middle of it;
            - WorkerTimedOut: the job took longer than it may, and its process was killed;
            - WorkerOutOfMemory: the job wanted more memory than it may have.
        """
        self.start()
        return self._threads.submit(self._do, job)

    def __enter__(self) -> Workers[Job, Answer]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends every process, also in the middle of a job."""
        with self._lock:
            self._closed = True
            for worker in self._running:
                worker.kill()
        self._threads.shutdown(cancel_futures=True)

    def _do(self, job: Job) -> Answer:
        try:
            connection = self._send(job)
            if not connection.poll(self._limits.seconds):
                self._bury(kill=True)
                raise WorkerTimedOut(f"It took longer than {self._limits.seconds:g} s, and was given up.")
            answer: _Reply[Answer] = connection.recv()
        except (EOFError, OSError):
            raise WorkerDied(f"The process that worked on it died ({self._bury()}).") from None
        try:
            return self._open(answer)
        finally:
            del answer  # an error holds the frames that it came through: that would be a cycle around the job

    def _open(self, answer: _Reply[Answer]) -> Answer:
        if isinstance(answer, _Done):
            return answer.value
        if isinstance(answer, _Raised):
            try:
                raise answer.error
            finally:
                del answer  # likewise
        self._bury()
        raise WorkerOutOfMemory(f"It wanted more memory than the {_mebibytes(self._limits)} that it may have.")

    def _send(self, job: Job) -> Connection:
        """Hands the job to this thread's process, and to another one if that died or hangs since the last job."""
        try:
            connection = self._worker().connection
            connection.send(job)
        except OSError:
            self._bury(kill=True)
            connection = self._worker().connection
            connection.send(job)
        return connection

    def _worker(self) -> _Worker[Job, Answer]:
        """This thread's process, which is started if there is none."""
        worker: _Worker[Job, Answer] | None = getattr(self._mine, "worker", None)
        if worker is None:
            with self._lock:
                if self._closed:
                    raise EOFError
                worker = self._mine.worker = _Worker(self._work, self._limits)
                self._running.add(worker)
            # The time of a job begins when its process can begin with it.
            worker.connection.recv()
        return worker

    def _bury(self, kill: bool = False) -> str:
        """Forgets this thread's process, and says how it ended."""
        worker: _Worker[Job, Answer] | None = self._mine.__dict__.pop("worker", None)
        if worker is None:
            return "the work was stopped before it began"
        with self._lock:  # a process can be asked by one thread at a time, and starting one asks all of them
            self._running.discard(worker)
            if kill:
                worker.kill()
            return worker.end()


class _Worker(Generic[Job, Answer]):
    """A process, and the way to it."""

    def __init__(self, work: Callable[[Job], Answer], limits: Limits) -> None:
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
class _Done(Generic[Answer]):
    value: Answer


@dataclass(frozen=True)
class _Raised:
    error: Exception


class _OutOfMemory:
    pass


_Reply = _Done[Answer] | _Raised | _OutOfMemory


def _serve(connection: Connection, work: Callable[[Job], Answer], limits: Limits) -> None:
    """Does jobs until the other end is gone, or memory is short: what is left of it then is nobody's guess."""
    # What it starts itself is killed with it; and Ctrl-C and Ctrl-Z in a terminal are for the program alone.
    os.setpgid(0, 0)
    # Decoders grumble there about files that they decode all the same; what matters goes back as an answer.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    _limit_memory(limits.memory_bytes)
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        connection.send("ready")
        answer: _Reply[Answer] | None = None
        while not isinstance(answer, _OutOfMemory):
            answer = _answer(work, connection.recv(), limits.seconds)
            connection.send(answer)


def _answer(work: Callable[[Job], Answer], job: Job, seconds: float | None) -> _Reply[Answer]:
    # Should nobody be there any more to kill a process that hangs, the system does.
    signal.setitimer(signal.ITIMER_REAL, seconds + _SECONDS_TO_DIE if seconds else 0)
    try:
        return _Done(work(job))
    except MemoryError:
        return _OutOfMemory()
    except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to whoever asked
        return _Raised(error.with_traceback(None))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _limit_memory(allowed: int | None) -> None:
    if allowed is not None and sys.platform == "linux":
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[5])
        limit = pages * resource.getpagesize() + allowed
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def _mebibytes(limits: Limits) -> str:
    return f"{(limits.memory_bytes or 0) / 2**20:,.0f} MiB"


def _ending(code: int | None) -> str:
    if code is not None and code < 0:
        with suppress(ValueError):
            return f"by {signal.Signals(-code).name}"
    return "but does not end" if code is None else f"with exit code {code}"


def _start_fork_server(preload: list[str]) -> None:
    """Starts the process that all others are forked from."""
    multiprocessing.set_forkserver_preload(preload)
    # The fork server starts it otherwise, and Python 3.11 lets every signal through after that.
    resource_tracker.ensure_running()
    with _environment(_ONE_THREAD_EACH | _KEEP_MEMORY), _without_interrupts():
        forkserver.ensure_running()


@contextmanager
def _environment(settings: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """What is started in here never gets the signals to stop, which come to every process: the program answers them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
