"""Runs ffmpeg and ffprobe on a file that is open already, with limits of their own and without other files."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

from segue.core.audio.decoders.confinement import confinement
from segue.core.errors import WorkerDied, WorkerKilled, WorkerTimedOut
from segue.core.process_identity import describe_end, was_killed

CPU_SECONDS = 300
"""Limit of the processor time of one program. 4 h of Opus take up to 100 s on a busy machine."""
MEMORY_BYTES = 2**30
"""Limit of its memory, which only Linux enforces (RLIMIT_DATA). An hour of stereo AAC takes 60 MB."""

# The shell sets the limits of the process that then becomes the program: Python could set them only between fork and
# exec, which is not safe in a process with threads, or after the program has begun.
_LIMITED = 'ulimit -c 0; ulimit -t "$1"; ulimit -d "$2"; shift 2; exec "$@"'
# The other variables may have secrets, or make ffmpeg write files (FFREPORT).
_VARIABLES = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
# bwrap ends with this number plus that of the signal that ended the program, as shells do.
_SIGNAL_CODES = range(128 + 1, 128 + signal.NSIG)


class ProgramInput(NamedTuple):
    """A file for another program.

    Attributes:
        path: the path by which the program opens it.
        descriptors: the open files that the program must inherit for that.
    """

    path: Path
    descriptors: tuple[int, ...]


@contextmanager
def program_input(path: Path) -> Iterator[ProgramInput]:
    """Opens a file for another program, which needs no access to its folder and never sees its name.

    Raises:
        OSError: the file cannot be read.
    """
    if sys.platform != "linux":  # there the program would read on where another one has stopped
        yield ProgramInput(path, ())
        return
    with path.open("rb") as file:
        yield inherited(file.fileno())


def inherited(descriptor: int) -> ProgramInput:
    """Returns an open file; the system may forbid a program to open it below ``/proc/<pid>``."""
    return ProgramInput(Path(f"/dev/fd/{descriptor}"), (descriptor,))


class RunningProgram:
    """A program that runs.

    Attributes:
        name: its name.
        output: the pipe with everything that it prints.
    """

    def __init__(self, name: str, process: subprocess.Popen[bytes], cpu_before: float, *, is_confined: bool) -> None:
        self.name = name
        self._process = process
        self._cpu_before = cpu_before
        self._is_confined = is_confined

    @property
    def output(self) -> IO[bytes]:
        """The pipe with everything that it prints."""
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        return self._process.stdout

    def read_all(self, seconds: float | None = None) -> bytes:
        """Returns all that it prints, and waits for its end.

        Raises:
            subprocess.TimeoutExpired: it takes longer than ``seconds``.
            WorkerError: as for ``wait``.
        """
        printed, _ = self._process.communicate(timeout=seconds)
        self.wait()
        return printed

    def wait(self) -> int:
        """Waits for its end, and returns its exit code.

        Raises:
            WorkerTimedOut: it used up its processor time.
            WorkerDied: it crashed.
            WorkerKilled: something else killed it.
        """
        code = self._process.wait()
        if self._is_confined and code in _SIGNAL_CODES:
            code = 128 - code
        if code >= 0:
            return code
        if _cpu_of_children() - self._cpu_before >= CPU_SECONDS - 1:
            raise WorkerTimedOut(f"{self.name} took longer than {CPU_SECONDS:g} s of processor time and was stopped.")
        kind = WorkerKilled if was_killed(code) else WorkerDied
        raise kind(f"{self.name} {describe_end(code)} before it had decoded the whole file.")


@contextmanager
def running_program(name: str, arguments: Sequence[str], source: ProgramInput) -> Iterator[RunningProgram]:
    """Starts a program, and kills it at the end of the block.

    Args:
        name: its name on the PATH.
        arguments: its arguments.
        source: the file that they name.

    Raises:
        FileNotFoundError: it is not installed.
    """
    path = shutil.which(name)
    if path is None:
        raise FileNotFoundError(f"{name} is not on the PATH")
    confined = confinement(path).command
    limits = ("/bin/sh", "-c", _LIMITED, "sh", str(CPU_SECONDS), str(MEMORY_BYTES // 1024))
    with subprocess.Popen(
        [*limits, *confined, path, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=0,
        env={variable: os.environ[variable] for variable in _VARIABLES if variable in os.environ},
        pass_fds=source.descriptors,
    ) as process:
        try:
            yield RunningProgram(name, process, _cpu_of_children(), is_confined=bool(confined))
        finally:
            process.kill()


def _cpu_of_children() -> float:
    """Returns the processor time of all programs that this process has waited for, in seconds."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
