"""Checks of the data folder and of its disk."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from segue.core.errors import SegueError
from segue.core.paths import use_data_folder
from segue.server.preflight.check_result import CheckResult, Level

_MIB = 2**20
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


def check_temporary_folder(data: Path, clip_bytes: int) -> CheckResult:
    """Checks that temporary files can be written, in the data folder if nowhere else.

    Args:
        data: the data folder.
        clip_bytes: largest clip in one message, which ffmpeg reads from a temporary file.
    """
    try:
        use_data_folder(data)
        with tempfile.TemporaryFile() as file:
            for _ in range(0, clip_bytes, _MIB):
                file.write(bytes(_MIB))
    except (SegueError, OSError) as error:
        return CheckResult("temporary files", "fail", str(error), "Set TMPDIR to a folder that has room.")
    return CheckResult("temporary files", "ok", f"{tempfile.gettempdir()} can be written")


def check_spool(folder: Path | None, clip_bytes: int) -> CheckResult:
    """Checks that clips of streams can be written.

    Args:
        folder: their folder, or None for the system's temporary folder.
        clip_bytes: largest clip in a stream.
    """
    place = folder or Path(tempfile.gettempdir())
    try:
        with tempfile.TemporaryFile(dir=folder):
            free = shutil.disk_usage(place).free
    except OSError as error:
        text = f"{place} cannot be written: {error.strerror}"
        return CheckResult("spool", "fail", text, "Name another folder with --spool, or repair its permissions.")
    if free < clip_bytes:
        text = f"{place} has {free / 1e9:.1f} GB free, less than a clip of {clip_bytes / 1e9:.1f} GB"
        return CheckResult("spool", "warn", text, "Free some space, or name a folder on another disk with --spool.")
    return CheckResult("spool", "ok", f"{place} can be written")


def _check_space(free: int) -> CheckResult:
    level: Level = "fail" if free < _NO_SPACE else "warn" if free < _LOW_SPACE else "ok"
    advice = "" if level == "ok" else "Free some space: a new index is written while the old ones are still there."
    return CheckResult("disk", level, f"{free / 1e9:.1f} GB are free", advice)
