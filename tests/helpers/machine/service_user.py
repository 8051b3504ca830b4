"""Runs programs as a service manager may run them: as a user without HOME and without an entry in passwd."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.helpers.machine.commands import run_command

_ROOT = Path(__file__).parents[3]
# The programs, and the interpreter, belong to root.
_PROGRAMS = (_ROOT, Path(sys.prefix), Path(sys.base_prefix))
CLOSED_STREAMS = "0<&- 1>&- 2>&-"
"""Closes the standard streams of a service."""


def as_service_user(
    *command: str | Path,
    read_only: Sequence[Path] = (),
    writable: Sequence[Path] = (),
    streams: str = "",
    **variables: str,
) -> list[str]:
    """Returns the command line that runs a command as such a user; skips the test where the system does not permit it.

    Args:
        command: the program and its arguments.
        read_only: more folders on a read-only file system; those of the programs are always.
        writable: folders below them that are not.
        streams: redirections of the standard streams.
        variables: the environment; PATH is added.
    """
    mounts = [f"mount --rbind '{folder}' '{folder}'" for folder in writable]
    for folder in (*_PROGRAMS, *read_only):
        mounts.append(f"mount --rbind '{folder}' '{folder}' && mount -o remount,bind,ro '{folder}'")
    environment = " ".join(f"'{name}={value}'" for name, value in variables.items())
    user = "unshare --user --map-user=12345 --map-group=12345"
    script = (
        f"{' && '.join(mounts)} && cd '{_ROOT}' && exec {user} env -i PATH=/usr/bin:/bin {environment} \"$@\" {streams}"
    )
    line = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"]
    if run_command(*line, "true").returncode:
        pytest.skip("this system has no user namespaces")
    return [*line, *map(str, command)]
