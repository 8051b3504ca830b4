"""Writes files and folders atomically: a crash or a full disk leaves the old one or the new one, never half of one."""

from __future__ import annotations

import hashlib
import os
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedRandom, FileIO
from pathlib import Path
from typing import NamedTuple, cast


def sha256_of(path: Path, start: int = 0) -> str:
    """Returns the SHA-256 of a file in hexadecimal.

    Args:
        path: the file.
        start: position of the first byte to read.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        file.seek(start)
        return hashlib.file_digest(file, "sha256").hexdigest()


class TemporaryFile(NamedTuple):
    """An open temporary file.

    Attributes:
        file: the file, open for reading and writing without a buffer.
        path: a path by which other processes of this user can open it.
    """

    file: FileIO
    path: Path


@contextmanager
def temporary_file(folder: Path | None = None, *, is_named: bool = False) -> Iterator[TemporaryFile]:
    """Opens a file that is removed at the end of the block.

    On Linux it has no name in any folder, so that it is gone even if this process is killed.

    Args:
        folder: its folder, or None for the system's temporary folder.
        is_named: True to give it a name on Linux, too, for processes that may not open the files of this one.

    Raises:
        OSError: the folder cannot be written.
    """
    descriptors = Path(f"/proc/{os.getpid()}/fd")
    if descriptors.is_dir() and not is_named:
        with tempfile.TemporaryFile(buffering=0, dir=folder) as file:
            yield TemporaryFile(file, descriptors / str(file.fileno()))
    else:
        with tempfile.NamedTemporaryFile(buffering=0, dir=folder, suffix=".audio") as file:
            yield TemporaryFile(cast("FileIO", file), Path(file.name))


@contextmanager
def atomic_write(path: Path, mode: int = 0o666) -> Iterator[BufferedRandom]:
    """Opens a new file that replaces ``path`` at the end of the block, or is removed if the block fails.

    The file is synced before it is renamed, and its folder afterwards. So a power cut cannot leave an empty file under
    the name. The file is open for reading, writing and seeking.

    Args:
        path: the file to write; its folder exists. Of a link, the target is replaced.
        mode: its permissions, before the umask is applied.

    Raises:
        OSError: the disk is full, or the folder cannot be written.
    """
    target = Path(os.path.realpath(path))
    # A name of its own: with that of the target in it, it could be longer than a file system allows.
    partial = target.with_name(f".segue-{uuid.uuid4().hex}.partial")
    try:
        descriptor = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)
    except OSError as error:
        raise OSError(error.errno, os.strerror(error.errno or 0), str(path)) from error
    try:
        with os.fdopen(descriptor, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    sync(target.parent)


def rename_synced(unfinished: Path, folder: Path) -> None:
    """Syncs a finished folder, renames it, and syncs its new parent.

    Args:
        unfinished: the folder under its temporary name.
        folder: its final path on the same disk; nothing with that name exists.

    Raises:
        OSError: the disk is full, or a folder cannot be written.
    """
    sync_tree(unfinished)
    unfinished.rename(folder)
    sync(folder.parent)


def sync_tree(folder: Path) -> None:
    """Syncs a folder and everything in it to disk.

    Raises:
        OSError: the disk is full.
    """
    for path in (*folder.rglob("*"), folder):
        sync(path)


def sync(path: Path) -> None:
    """Syncs a file's content, or a folder's list of names, to disk.

    A folder that may be written but not read cannot be synced, and is left to the system.

    Raises:
        OSError: the disk is full, or the path does not exist.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except PermissionError:
        if path.is_dir():
            return
        raise
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
