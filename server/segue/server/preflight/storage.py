"""Checks of the data folder and of its disk."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from segue.server.preflight.check_result import CheckResult, Level

_LOW_SPACE, _NO_SPACE = 2 * 2**30, 200 * 2**20


def check_data_folder(folder: Path, *, read_only: bool) -> Iterator[CheckResult]:
    """Checks that the folder can be used.

    Args:
        folder: the data folder.
        read_only: True for a server that uses another Redis: it only reads the snapshots, and needs no permission to
            write.
    """
    try:
        if read_only and folder.is_dir():
            list(folder.iterdir())
            yield CheckResult("data folder", "ok", f"{folder} can be read")
            return
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = folder / f".doctor-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        text = f"{folder} cannot be {'read' if read_only and folder.is_dir() else 'written'}: {error.strerror}"
        yield CheckResult("data folder", "fail", text, "Name another folder with --data, or repair its permissions.")
        return
    yield CheckResult("data folder", "ok", f"{folder} can be written")
    yield _check_space(shutil.disk_usage(folder).free)


def _check_space(free: int) -> CheckResult:
    level: Level = "fail" if free < _NO_SPACE else "warn" if free < _LOW_SPACE else "ok"
    advice = "" if level == "ok" else "Free some space: a new index is written while the old ones are still there."
    return CheckResult("disk", level, f"{free / 1e9:.1f} GB are free", advice)
