"""Which process is meant, told from any later one that has the same number."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Process:
    """A process on some machine.

    Attributes:
        host: the machine's name.
        place: what tells this machine's run, and the container, from others; process numbers mean something only there.
        pid: the process's number.
        started: when it started, in the words of its system.
        command: the program's name.
    """

    host: str
    place: str
    pid: int
    started: str
    command: str

    @classmethod
    def this(cls) -> Process:
        """The process that asks."""
        pid = os.getpid()
        return cls(socket.gethostname(), _place(), pid, started(pid) or "", Path(sys.argv[0]).name or "python")

    def is_gone(self) -> bool:
        """Whether it surely runs no more; of a process somewhere else that cannot be known."""
        return self.place == _place() and started(self.pid) != self.started

    def __str__(self) -> str:
        return f"{self.command} (process {self.pid} on {self.host})"


def started(pid: int) -> str | None:
    """When the process with this number started, or None where there is none, or only one that waits to be reaped."""
    try:
        # The program's name stands in parentheses and may hold anything.
        state, *rest = (
            Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        )
    except (FileNotFoundError, ProcessLookupError):
        return None if Path("/proc/self/stat").exists() else _started_by_ps(pid)
    return None if state in "ZX" else rest[18]


def _started_by_ps(pid: int) -> str | None:
    answer = subprocess.run(
        ["/bin/ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.split(maxsplit=1)
    return None if len(answer) < 2 or answer[0].startswith("Z") else answer[1].strip()


def _place() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return socket.gethostname()
