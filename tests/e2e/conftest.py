"""The programs as users run them: a server with the shipped model, its data folder, and the commands."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.machine.commands import run_command
from tests.helpers.machine.processes import ended

BIN = Path(sys.executable).parent


def run(program: str, *arguments: str | Path, status: int = 0, **environment: str) -> str:
    """Runs one of our programs and returns what it printed: its errors if the expected exit code is not 0.

    Args:
        program: the name of the program.
        arguments: its arguments.
        status: the exit code that it must end with.
        environment: variables on top of those of this process.
    """
    result = run_command(BIN / program, *arguments, environment=environment)
    assert status == result.returncode, result.stderr
    assert "Traceback" not in result.stderr
    return result.stdout if status == 0 else result.stderr


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the server and the indexer keep their state."""
    return tmp_path_factory.mktemp("e2e")


@pytest.fixture(scope="session")
def server(data: Path) -> Iterator[str]:
    """The address of a server with the shipped model."""
    log = data / "server.log"
    with log.open("w") as out:
        command: list[str | Path] = [BIN / "segue-server", "--listen", "127.0.0.1:0", "--data", data]
        process = subprocess.Popen(command, stderr=out)
    try:
        yield wait_for_address(process, log)
    finally:
        assert 0 == ended(process)


def wait_for_address(process: subprocess.Popen[bytes], log: Path) -> str:
    """Returns the address that a server logs once its port is open."""
    while process.poll() is None:
        if line := re.search(r"listening on (\S+) with ", log.read_text()):
            return line[1]
        time.sleep(0.05)
    pytest.fail(log.read_text())
