"""Processes that examine files, so that a file that crashes a decoder costs itself and nothing else."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from types import TracebackType

from segue.core.features import FeatureConfig
from segue.indexer.work import Examined, Failure, examine, readable

# The processes are many already; a pool of threads in each would only make them wait for each other.
_ONE_THREAD_EACH = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "NUMBA_NUM_THREADS"), "1"
)
# Loaded once, and shared by every worker.
_PRELOADED = ["segue.indexer.work", "librosa.filters"]


class Workers:
    """A pool of processes, each fed by a thread of its own.

    A thread waits for its process only, so it knows which file a process died of, and starts the next one. The
    processes are forked from a server that is started before TensorFlow is loaded here, and never load it themselves.
    """

    def __init__(self, jobs: int, config: FeatureConfig, most: int) -> None:
        """Prepares ``jobs`` processes, at least 1; none is started before there is a file.

        Args:
            jobs: how many files are examined at the same time.
            config: the settings of the network's front end.
            most: the most windows that the network takes of a track.
        """
        self.jobs = jobs
        self._settings = (config, most)
        self._context = multiprocessing.get_context("forkserver")
        self._threads = ThreadPoolExecutor(jobs, thread_name_prefix="examine")
        self._mine = threading.local()
        self._lock = threading.Lock()
        self._running: set[ForkServerProcess] = set()
        self._started = False
        self._closed = False

    def submit(self, path: Path) -> Future[Examined | Failure]:
        """Examines a file as soon as a process is free."""
        if not self._started:
            _start_fork_server()
            self._started = True
        return self._threads.submit(self._examine, path)

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends every process, also in the middle of a file."""
        with self._lock:
            self._closed = True
            for process in self._running:
                process.kill()
        self._threads.shutdown(cancel_futures=True)

    def _examine(self, path: Path) -> Examined | Failure:
        try:
            examined: Examined | Failure = self._send(path).recv()
        except (EOFError, OSError):
            return Failure(readable(path), "WORKER_DIED", self._bury())
        return examined

    def _send(self, path: Path) -> Connection:
        """Hands the file to this thread's process, and to another one if that died since the last file."""
        try:
            connection = self._connection()
            connection.send(path)
        except OSError:
            self._bury()
            connection = self._connection()
            connection.send(path)
        return connection

    def _connection(self) -> Connection:
        """The way to this thread's process, which is started if there is none."""
        connection: Connection | None = getattr(self._mine, "connection", None)
        if connection is None:
            connection, theirs = self._context.Pipe()
            process = self._context.Process(target=_serve, args=(theirs, *self._settings), daemon=True)
            with self._lock:
                if self._closed:
                    raise EOFError
                process.start()
                self._running.add(process)
            theirs.close()
            self._mine.connection, self._mine.process = connection, process
        return connection

    def _bury(self) -> str:
        """Forgets this thread's dead process, and says how it ended."""
        connection: Connection | None = self._mine.__dict__.pop("connection", None)
        process: ForkServerProcess | None = self._mine.__dict__.pop("process", None)
        if connection is None or process is None:
            return "Indexing was stopped before it was examined. Run the same command again."
        connection.close()
        process.join()
        with self._lock:
            self._running.discard(process)
        return f"The process that decoded it died ({_ending(process.exitcode)}). The file is damaged, or too large."


def _ending(code: int | None) -> str:
    if code is not None and code < 0:
        with suppress(ValueError):
            return f"by {signal.Signals(-code).name}"
    return f"with exit code {code}"


def _serve(connection: Connection, config: FeatureConfig, most: int) -> None:
    """Examines files until the other end is gone."""
    # Decoders grumble there about files that they decode all the same; what matters goes back as a failure.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            connection.send(examine(connection.recv(), config, most))


def _start_fork_server() -> None:
    """Starts the process that all workers are forked from."""
    multiprocessing.set_forkserver_preload(_PRELOADED)
    # The fork server starts it otherwise, and Python 3.11 lets every signal through after that.
    resource_tracker.ensure_running()
    with _environment(_ONE_THREAD_EACH), _without_interrupts():
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
    """What is started in here never gets the signals to stop, which come to every process: the indexer answers them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
