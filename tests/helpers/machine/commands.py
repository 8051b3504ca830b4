"""Commands that tests run to their end."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

TIMEOUT_SECONDS = 600


def run_command(
    *command: str | Path,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    stdin: str | None = None,
    timeout: float = TIMEOUT_SECONDS,
) -> subprocess.CompletedProcess[str]:
    """Runs a command and returns its exit code and output.

    Args:
        command: the program and its arguments.
        environment: variables on top of those of this process.
        folder: the working directory, by default that of this process.
        stdin: the text of its standard input, by default that of this process.
        timeout: seconds until the command is killed and TimeoutExpired is raised.
    """
    return subprocess.run(
        command,
        env=os.environ | (environment or {}),
        cwd=folder,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def output_of(
    *command: str | Path,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    stdin: str | None = None,
    timeout: float = TIMEOUT_SECONDS,
) -> str:
    """Runs a command and returns its standard output; fails with its output unless the exit code is 0."""
    ended = run_command(*command, environment=environment, folder=folder, stdin=stdin, timeout=timeout)
    assert 0 == ended.returncode, f"{command[0]} failed:\n{ended.stdout}{ended.stderr}"
    return ended.stdout
