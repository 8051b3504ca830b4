"""Real server processes, and the checks before their start."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import pytest
from click.testing import CliRunner

from segue.server.cli.main import main
from segue.server.preflight.check_result import CheckResult
from tests.helpers.machine.processes import ended as end


class RunningServer(NamedTuple):
    """A server process that has loaded everything.

    Attributes:
        address: address of its port.
        process: the process.
        log: what it has logged until it was ready.
    """

    address: str
    process: subprocess.Popen[str]
    log: str

    def metrics(self) -> dict[str, float]:
        """The metrics of a server with --metrics-listen, by full names; a call is counted when it has ended."""
        match = re.search(r"metrics at ([^\s\"]+)", self.log)
        assert match
        with urllib.request.urlopen(match[1]) as page:  # noqa: S310 - our own server's address
            lines = [line for line in page.read().decode().splitlines() if not line.startswith("#")]
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


class StartingServer:
    """A server process that was started a moment ago.

    Attributes:
        process: the process.
        ready: True once everything is loaded.
        log: what it has logged so far.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.ready = False
        self.log = ""

    def wait_until_open(self) -> str:
        """Waits until the port is open, and returns its address."""
        return self._wait_for(r"the port (\S+) is open")

    def wait_until_ready(self) -> str:
        """Waits until everything is loaded, and returns the address."""
        address = self._wait_for(r"listening on (\S+)")
        self.ready = True
        return address

    def _wait_for(self, pattern: str) -> str:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.log += line
            if match := re.search(pattern, line):
                return match[1]
        pytest.fail("the server did not start:\n" + self.log)


@contextmanager
def starting_server(*options: str) -> Iterator[StartingServer]:
    """Starts segue-server on a free port, and ends it by SIGTERM."""
    command = [sys.executable, "-m", "segue.server", "--listen", "127.0.0.1:0", *options]
    # Few tests read the log, and a full pipe would block the server.
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, pipesize=2**20) as process:
        try:
            yield StartingServer(process)
        finally:
            end(process)


@contextmanager
def running_server(*options: str) -> Iterator[RunningServer]:
    """Starts segue-server, waits until it has loaded everything, and ends it by SIGTERM."""
    with starting_server(*options) as starting:
        yield RunningServer(starting.wait_until_ready(), starting.process, starting.log)


def run_doctor(*options: object) -> tuple[int, dict[str, CheckResult]]:
    """The exit code of segue-server doctor, and its results by subject."""
    ended = CliRunner().invoke(main, ["doctor", "--json", *map(str, options)])
    results = [CheckResult(**result) for result in json.loads(ended.stdout)["checks"]]
    return ended.exit_code, {result.what: result for result in results}
