"""Ends, suspends and finds processes; finding needs Linux."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.helpers.machine.waiting import PATIENCE_SECONDS


def ended(process: subprocess.Popen[Any]) -> int:
    """Ends a program by SIGTERM, and returns its exit code.

    Raises:
        TimeoutExpired: the program did not end, and was killed.
    """
    process.terminate()
    try:
        return process.wait(PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        raise


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """Suspends a process for the duration of the block."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def children_of(pid: int) -> list[int]:
    """Returns the children of a process, also those of its threads; none once it has ended."""
    children: list[int] = []
    with suppress(OSError):
        for path in Path(f"/proc/{pid}/task").glob("*/children"):
            children += map(int, path.read_text(encoding="ascii").split())
    return children


def decoder(program: int) -> int:
    """Returns the id of a process that decodes for a program: a child of its fork server with a group of its own."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and _is_decoder(int(entry.name), program):
            return int(entry.name)
    raise AssertionError("no process decodes")


def _is_decoder(pid: int, program: int) -> bool:
    try:
        parent, group = (int(number) for number in _fields(pid)[1:3])
        command = Path(f"/proc/{parent}/cmdline").read_bytes()
        return pid == group and program == int(_fields(parent)[1]) and b"forkserver" in command
    except OSError:
        return False


def _fields(pid: int) -> list[str]:
    """Returns the fields of ``/proc/<pid>/stat`` from the state on."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
