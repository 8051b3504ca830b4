"""The memory of this machine or container."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_MEMINFO, _CGROUPS = Path("/proc/meminfo"), Path("/sys/fs/cgroup")


def available_memory() -> int | None:
    """Returns the memory in bytes that a program may still use here, at most the limit of its cgroup, or None."""
    return _least("MemAvailable:")


def total_memory() -> int | None:
    """Returns the memory in bytes of this machine, at most the limit of the program's cgroup, or None."""
    return _least("MemTotal:")


def _least(field: str) -> int | None:
    with suppress(OSError, ValueError, StopIteration):
        lines = _MEMINFO.read_text(encoding="ascii").splitlines()
        size = next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))
        return min([size, *_cgroup_limits()])
    return None


def _cgroup_limits() -> Iterator[int]:
    """Yields the memory limits of this process's cgroup and of those around it (version 2)."""
    with suppress(OSError):
        own = Path("/proc/self/cgroup").read_text(encoding="utf-8").rpartition("::")[2].strip()
        folder = _CGROUPS / own.lstrip(os.sep)
        for group in (folder, *folder.parents):
            with suppress(OSError, ValueError):  # there is no limit: the file is missing, or has the word "max"
                yield int((group / "memory.max").read_text(encoding="ascii"))
