"""The programs as people run them: a data folder, a server, the commands."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.processes import ended

BIN = Path(sys.executable).parent


def run(program: str, *arguments: str | Path, status: int = 0, **environment: str) -> str:
    """Runs one of our programs and answers what it printed; anything but ``status`` fails."""
    ended = subprocess.run(
        [BIN / program, *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env=os.environ | environment,
    )
    assert status == ended.returncode, ended.stderr
    assert "Traceback" not in ended.stderr
    return ended.stdout if status == 0 else ended.stderr


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The one place where Segue keeps its state."""
    return tmp_path_factory.mktemp("e2e")


@pytest.fixture(scope="session")
def server(data: Path) -> Iterator[str]:
    """The address of a server with the model that ships."""
    log = data / "server.log"
    with log.open("w") as out:
        command: list[str | Path] = [BIN / "segue-server", "--listen", "127.0.0.1:0", "--data", data]
        process = subprocess.Popen(command, stderr=out)
    try:
        yield wait_for_address(process, log)
    finally:
        assert 0 == ended(process)


def wait_for_address(process: subprocess.Popen[bytes], log: Path) -> str:
    """The address that a server says it listens on."""
    while process.poll() is None:
        if found := re.search(r"listening on (\S+) with ", log.read_text()):
            return found[1]
        time.sleep(0.05)
    pytest.fail(log.read_text())
