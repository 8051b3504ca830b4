"""Runs jobs in worker processes: a job that crashes, hangs or exceeds its memory fails without harm to any other."""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.util import Finalize
from types import TracebackType
from typing import Generic

from segue.core.errors import (
    EnvironmentUnusable,
    SegueError,
    WorkerKilled,
    WorkerOutOfMemory,
    WorkerTimedOut,
)
from segue.core.file_lock import TemporaryFolder
from segue.core.paths import socket_folder
from segue.core.worker_process import (
    SEND_SECONDS,
    UNLIMITED,
    Done,
    Job,
    JobLimits,
    Raised,
    Reply,
    Result,
    Work,
    WorkerProcess,
    death,
    failed_start,
    unusable,
)

# There is a process for each core already; threads within each would only wait for each other.
_ONE_THREAD_EACH = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "NUMBA_NUM_THREADS"), "1"
)
# The next job needs the memory that the last one freed. By default glibc returns it to the system, which then has to
# fault in every page again. Other C libraries ignore these variables.
_KEEP_MEMORY = {"MALLOC_TRIM_THRESHOLD_": str(2**26), "MALLOC_MMAP_THRESHOLD_": str(2**25)}
# One may die by accident: the system kills a process to free memory.
_START_TRIES = 3
# A fork server that is being killed refuses processes for some milliseconds before the system says that it has ended.
_FORK_SERVER_PAUSE_SECONDS = 0.1
_FOLDER_PREFIX = "segue-pool-"
# The path of the fork server's socket in a temporary folder.
_SOCKET_BYTES = len(f"/{_FOLDER_PREFIX}xxxxxxxx/pymp-xxxxxxxx/listener-xxxxxxxx")
# That of multiprocessing's own folder, which is in this one, is -100.
_FOLDER_PRIORITY = -200


class ProcessPool(Generic[Job, Result]):
    """A pool of worker processes, each with a thread that feeds it.

    A thread waits for its own process only. So it knows which job a process died of, and starts the next process. The
    processes are forked from a server that has loaded only what they need, whatever this program has loaded.
    """

    def __init__(
        self,
        jobs: int,
        work: Callable[[Job], Result],
        *,
        preload: Sequence[str] = (),
        trial: Callable[[], object] = int,
        limits: JobLimits = UNLIMITED,
        send_seconds: int = SEND_SECONDS,
    ) -> None:
        """Starts no process before there is a job.

        Args:
            jobs: number of jobs that run at the same time, at least 1.
            work: the function that a process runs on each job. It is pickled, and so are jobs, results and exceptions.
            preload: names of modules that are loaded once and shared by all processes.
            trial: called by each process at its start: if it raises an error, no process can work on this machine.
            limits: limits of each job.
            send_seconds: seconds until an idle process that does not read its job is replaced, at least 1.
        """
        self.jobs = jobs
        self._work = Work(work, trial)
        self._preload = list(preload)
        self._limits = limits
        self._send_seconds = send_seconds
        self._threads = ThreadPoolExecutor(jobs, thread_name_prefix="worker")
        self._thread_state = threading.local()
        self._lock = threading.Lock()
        self._workers: set[WorkerProcess[Job, Result]] = set()
        self._is_started = False
        self._is_closed = False

    def start(self) -> None:
        """Starts the server that the processes are forked from, so that the first job does not wait for its imports.

        Raises:
            EnvironmentUnusable: the machine does not permit it.
        """
        if not self._is_started:
            multiprocessing.set_forkserver_preload(self._preload)
            with _short_temporary_folder():
                _run_fork_server()
            self._is_started = True

    def submit(self, job: Job, seconds: float | None = None) -> Future[Result]:
        """Runs a job as soon as a process is free; a future that is cancelled before that never starts.

        Args:
            job: the job.
            seconds: time limit of this job, or None for that of all jobs.

        Returns:
            The future result of the job. It raises what the work raises, and

            - WorkerDied: the process crashed in the middle of the job;
            - WorkerKilled: something outside killed the process in the middle of the job, or the pool was closed;
            - WorkerTimedOut: the job exceeded its time limit, and its process was killed;
            - WorkerOutOfMemory: the job exceeded its memory limit;
            - EnvironmentUnusable: no process can start here, so that the job did not begin.
        """
        self.start()
        return self._threads.submit(self._run, job, seconds or self._limits.seconds)

    def __enter__(self) -> ProcessPool[Job, Result]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Kills every process, also in the middle of a job."""
        with self._lock:
            self._is_closed = True
            for worker in self._workers:
                worker.kill()
        self._threads.shutdown(cancel_futures=True)

    def _run(self, job: Job, seconds: float | None) -> Result:
        try:
            connection = self._send(job)
            if not connection.poll(seconds):
                self._discard_worker(kill=True)
                raise WorkerTimedOut(f"It took longer than {seconds:g} s and was stopped.")
            reply: Reply[Result] = connection.recv()
        except (EOFError, OSError):
            raise death(self._discard_worker()) from None
        try:
            return self._result(reply)
        finally:
            del reply  # an error refers to the frames that it passed through, so this would be a cycle around the job

    def _result(self, reply: Reply[Result]) -> Result:
        if isinstance(reply, Done):
            return reply.value
        if isinstance(reply, Raised):
            try:
                raise reply.error
            finally:
                del reply  # likewise
        self._discard_worker()
        raise WorkerOutOfMemory(f"It needed more memory than its limit of {self._limits.memory}.")

    def _send(self, job: Job) -> Connection:
        """Sends the job to this thread's process, or to a new one if that died or hung since its last job."""
        try:
            connection = self._worker().connection
            connection.send(job)
        except OSError:
            self._discard_worker(kill=True)
            connection = self._worker().connection
            connection.send(job)
        return connection

    def _worker(self) -> WorkerProcess[Job, Result]:
        """Returns this thread's process, and starts one if there is none."""
        return getattr(self._thread_state, "worker", None) or self._start_worker()

    def _start_worker(self) -> WorkerProcess[Job, Result]:
        failure: SegueError
        exit_codes: list[int | None] = []
        for _ in range(_START_TRIES):
            if exit_codes[-1:] == [None]:
                time.sleep(_FORK_SERVER_PAUSE_SECONDS)
            try:
                # The time limit of a job does not include the start of its process.
                worker = self._new_worker()
                problem = worker.wait_until_ready()
            except (EOFError, ConnectionError):
                exit_codes.append(self._discard_worker())
                failure = failed_start(exit_codes[-1])
            except OSError as error:
                failure = unusable(str(error))
            else:
                if not problem:
                    return worker
                failure = unusable(problem)
            self._discard_worker(kill=True)
        # Without a code, the fork server was gone. One that is killed works at the next try; this one never did.
        if exit_codes == [None] * _START_TRIES:
            raise unusable("the process that they are forked from ends at once")
        raise failure

    def _new_worker(self) -> WorkerProcess[Job, Result]:
        with self._lock:
            if self._is_closed:
                raise WorkerKilled("The work was stopped before it began.")
            _run_fork_server()
            worker = self._thread_state.worker = WorkerProcess(self._work, self._limits, self._send_seconds)
            self._workers.add(worker)
        return worker

    def _discard_worker(self, kill: bool = False) -> int | None:
        """Forgets this thread's process, and returns its exit code; None if that is unknown or it never started."""
        worker: WorkerProcess[Job, Result] | None = self._thread_state.__dict__.pop("worker", None)
        if worker is None:
            return None
        # Only one thread at a time may wait for a process, and the start of one waits for all of them.
        with self._lock:
            self._workers.discard(worker)
            if kill:
                worker.kill()
            return worker.end()


def _run_fork_server() -> None:
    """Starts the process that all others are forked from, if it does not run.

    Raises:
        EnvironmentUnusable: the machine does not permit it.
    """
    try:
        # Otherwise the fork server starts it, and Python 3.11 then unblocks all signals.
        resource_tracker.ensure_running()
        with _environment(_ONE_THREAD_EACH | _KEEP_MEMORY), _blocked_interrupts():
            forkserver.ensure_running()
    except OSError as error:
        raise EnvironmentUnusable(f"Worker processes cannot be started on this machine: {error}.") from error


@cache
def _worker_folder() -> TemporaryFolder:
    """Returns the folder of the server's socket, which is removed when the program ends.

    multiprocessing alone would leave its folder behind if the program was killed.
    """
    folder = TemporaryFolder(socket_folder(_SOCKET_BYTES), _FOLDER_PREFIX)
    Finalize(None, folder.remove, exitpriority=_FOLDER_PRIORITY)
    return folder


def remove_worker_folder() -> None:
    """Removes the folder of the processes' socket, for a program that ends by ``os._exit``; no other can start."""
    if _worker_folder.cache_info().currsize:
        _worker_folder().remove()


@contextmanager
def _short_temporary_folder() -> Iterator[None]:
    """Makes the server's socket lie in a folder with a short path, whatever TMPDIR is."""
    previous, tempfile.tempdir = tempfile.tempdir, str(_worker_folder().path)
    try:
        yield
    finally:
        tempfile.tempdir = previous


@contextmanager
def _environment(settings: dict[str, str]) -> Iterator[None]:
    previous = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in previous.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


@contextmanager
def _blocked_interrupts() -> Iterator[None]:
    """Blocks SIGINT and SIGTERM in the processes started within; a terminal sends them to all, and the program acts."""
    previous = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous)
