"""Adds tokens to the file that ``--tokens`` names."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from segue.core.errors import MalformedRequest
from segue.core.file_lock import FileLock
from segue.core.files import atomic_write
from segue.server.security.tokens import Grant, read_grants

_LOCK_SECONDS = 30.0


def add_grant(file: Path, grant: Grant) -> None:
    """Adds the line of a grant to a token file, and creates the file for its owner alone if it is missing.

    Comments, permissions and owner of the file are kept. It is replaced in one step, so that a server never reads half
    of it; two programs that add tokens at once wait for each other.

    Raises:
        MalformedRequest: the file has a token of this name, or cannot be used.
        OSError: the file cannot be written.
    """
    with _locked(file):
        if any(grant.name == known.name for known in read_grants(file)):
            raise MalformedRequest(
                "name", f"{file} has a token named {grant.name} already. Choose another --name, or remove its line."
            )
        text = _with_line(file.read_bytes().decode("utf-8"), grant)
        status = file.stat()
        with atomic_write(file, mode=0o600) as changed:
            changed.write(text.encode("utf-8"))
            if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(changed.fileno(), status.st_uid, status.st_gid)
            os.fchmod(changed.fileno(), status.st_mode & 0o7777)


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Locks the file that has this name at the time of the lock: another program may replace it until then."""
    while True:
        with FileLock(file) as lock:
            if not lock.try_exclusive(_LOCK_SECONDS):
                raise MalformedRequest("tokens", f"{file} is locked by another program. Try again when that has ended.")
            if lock.is_current():
                yield
                return


def _with_line(text: str, grant: Grant) -> str:
    """Returns the text of a token file with the line of a grant at its end, or at its start if it ends in a table."""
    end = "\r\n" if "\r\n" in text else "\n"
    line = f"{grant.line}{end}"
    appended = f"{text}{'' if not text or text.endswith(end) else end}{line}"
    return appended if grant.name in tomllib.loads(appended) else f"{line}{text}"
