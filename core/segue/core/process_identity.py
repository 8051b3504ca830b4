"""Identifies a process even after its pid was reused, and says how a process ended."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

# The signals by which the system stops a process that did something impossible. Others come from outside: SIGKILL is
# that of a person, or of a system that lacks memory.
_CRASHES = {signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGSEGV}


@dataclass(frozen=True)
class Process:
    """A process on a machine.

    Attributes:
        host: name of the machine.
        place: identifies the boot of the machine and the container; a pid has a meaning only there.
        pid: id of the process.
        started: its start time, as its system writes it.
        command: name of the program.
    """

    host: str
    place: str
    pid: int
    started: str
    command: str

    @classmethod
    def this(cls) -> Process:
        """Returns the calling process."""
        pid = os.getpid()
        return cls(socket.gethostname(), _place(), pid, start_time(pid) or "", Path(sys.argv[0]).name or "python")

    def is_gone(self) -> bool:
        """Returns whether the process has certainly ended; False for a process in another place."""
        return self.place == _place() and start_time(self.pid) != self.started

    def __str__(self) -> str:
        return f"{self.command} (process {self.pid} on {self.host})"


def start_time(pid: int) -> str | None:
    """Returns the start time of the process with this pid, or None if it does not exist or is a zombie."""
    try:
        # The name of the program is in parentheses and may contain any character.
        state, *rest = (
            Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        )
    except (FileNotFoundError, ProcessLookupError):
        return None if Path("/proc/self/stat").exists() else _started_by_ps(pid)
    return None if state in "ZX" else rest[18]


def _started_by_ps(pid: int) -> str | None:
    columns = subprocess.run(
        ["/bin/ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.split(maxsplit=1)
    return None if len(columns) < 2 or columns[0].startswith("Z") else columns[1].strip()


def has_open(pid: int, path: Path) -> bool:
    """Returns whether a process certainly has a file or a folder open; False where the system does not show it."""
    with suppress(OSError):
        target = path.stat()
        return any(os.path.samestat(target, status) for status in _open_files(pid))
    return False


def _open_files(pid: int) -> Iterator[os.stat_result]:
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):  # it was closed a moment ago
            yield link.stat()


def _place() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return socket.gethostname()


def describe_end(exit_code: int | None) -> str:
    """Returns a predicate such as "was killed by SIGKILL".

    Args:
        exit_code: exit code of the process, the negative number of the signal that ended it, or None if it runs.
    """
    if exit_code is not None and exit_code < 0:
        with suppress(ValueError):
            return f"was killed by {signal.Signals(-exit_code).name}"
    return "did not start, or does not end" if exit_code is None else f"ended with exit code {exit_code}"


def was_killed(exit_code: int | None) -> bool:
    """Returns whether something outside ended the process, so that its work was not at fault."""
    return exit_code is not None and exit_code < 0 and -exit_code not in _CRASHES
