"""Processes that do one kind of work: a job that crashes, hangs or eats memory costs itself and nothing else."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Generic

from segue.core.errors import WorkerDied, WorkerOutOfMemory, WorkerTimedOut
from segue.core.worker_process import UNLIMITED, Answer, Done, Job, JobLimits, Raised, Reply, WorkerProcess

# The processes are many already; a pool of threads in each would only make them wait for each other.
_ONE_THREAD_EACH = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "NUMBA_NUM_THREADS"), "1"
)
# What one job gave back the next one takes: glibc would return it to the system, and fault in every page again. It is
# told in the environment, and by nobody else's C library understood.
_KEEP_MEMORY = {"MALLOC_TRIM_THRESHOLD_": str(2**26), "MALLOC_MMAP_THRESHOLD_": str(2**25)}


class ProcessPool(Generic[Job, Answer]):
    """A pool of processes, each fed by a thread of its own.

    A thread waits for its process only, so it knows which job a process died of, and starts the next one. The processes
    are forked from a server that holds nothing but what they need, whatever is loaded here.
    """

    def __init__(
        self, jobs: int, work: Callable[[Job], Answer], *, preload: Sequence[str] = (), limits: JobLimits = UNLIMITED
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
        self._running: set[WorkerProcess[Job, Answer]] = set()
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

    def __enter__(self) -> ProcessPool[Job, Answer]:
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
            answer: Reply[Answer] = connection.recv()
        except (EOFError, OSError):
            raise WorkerDied(f"The process that worked on it died ({self._bury()}).") from None
        try:
            return self._open(answer)
        finally:
            del answer  # an error holds the frames that it came through: that would be a cycle around the job

    def _open(self, answer: Reply[Answer]) -> Answer:
        if isinstance(answer, Done):
            return answer.value
        if isinstance(answer, Raised):
            try:
                raise answer.error
            finally:
                del answer  # likewise
        self._bury()
        raise WorkerOutOfMemory(f"It wanted more memory than the {self._limits.memory} that it may have.")

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

    def _worker(self) -> WorkerProcess[Job, Answer]:
        """This thread's process, which is started if there is none."""
        worker: WorkerProcess[Job, Answer] | None = getattr(self._mine, "worker", None)
        if worker is None:
            with self._lock:
                if self._closed:
                    raise EOFError
                worker = self._mine.worker = WorkerProcess(self._work, self._limits)
                self._running.add(worker)
            # The time of a job begins when its process can begin with it.
            worker.connection.recv()
        return worker

    def _bury(self, kill: bool = False) -> str:
        """Forgets this thread's process, and says how it ended."""
        worker: WorkerProcess[Job, Answer] | None = self._mine.__dict__.pop("worker", None)
        if worker is None:
            return "the work was stopped before it began"
        with self._lock:  # a process can be asked by one thread at a time, and starting one asks all of them
            self._running.discard(worker)
            if kill:
                worker.kill()
            return worker.end()


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
