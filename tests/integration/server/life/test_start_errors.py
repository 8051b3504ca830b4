"""A server that cannot start exits with 1 and a sentence."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.machine.waiting import PATIENCE_SECONDS
from tests.helpers.server.servers import RunningServer


def error_of(*options: str) -> str:
    """The log of a server that cannot start."""
    ended = subprocess.run(
        [sys.executable, "-m", "segue.server", *options],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert 1 == ended.returncode
    assert "Traceback" not in ended.stderr
    return ended.stderr


def test_a_missing_model(tmp_path: Path) -> None:
    """The error names a folder without a model."""
    error = error_of("--data", str(tmp_path), "--model", str(tmp_path), "--listen", "127.0.0.1:0")
    assert f"no model in {tmp_path}" in error


def test_an_occupied_port(server: RunningServer, tmp_path: Path, tiny_model: Path) -> None:
    """The error names a port that another server uses."""
    for when in ((), ("--listen-when-ready",)):
        options = ("--data", str(tmp_path), "--model", str(tiny_model), *when)
        assert f"Cannot listen on {server.address}" in error_of("--listen", server.address, *options)


@pytest.mark.parametrize(
    ("socket", "cause"), [("s" * 110, "a socket's path may have 103"), ("none/s", "none does not exist, or")]
)
def test_a_socket_that_cannot_be_opened(tmp_path: Path, tiny_model: Path, socket: str, cause: str) -> None:
    """The error says what is wrong with its path, and nothing of a port."""
    error = error_of("--listen", f"unix:{tmp_path / socket}", "--data", str(tmp_path), "--model", str(tiny_model))
    assert cause in error
    assert "port" not in error.splitlines()[-1]
