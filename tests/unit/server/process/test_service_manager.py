from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from segue.server.process.service_manager import notify_ready, notify_stopping


@pytest.fixture
def manager() -> Iterator[socket.socket]:
    """The socket of a service manager."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.setblocking(False)
        yield bound


@pytest.mark.parametrize("abstract", [False, True])
def test_states_reach_the_manager(
    manager: socket.socket, abstract: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The manager gets one datagram for each state, at a path or at an abstract address."""
    name = f"@segue-{os.getpid()}" if abstract else str(tmp_path / "s")
    try:
        manager.bind(name.replace("@", "\0"))
    except OSError as error:
        pytest.skip(f"this system has no such address: {error}")
    monkeypatch.setenv("NOTIFY_SOCKET", name)
    notify_ready()
    notify_stopping()
    assert [b"READY=1", b"STOPPING=1"] == [manager.recv(100), manager.recv(100)]


def test_no_manager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a service manager nothing is sent."""
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notify_ready()


def test_a_missing_manager_is_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A socket that is not there does not end the server."""
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "none"))
    notify_ready()
    assert "cannot be notified" in caplog.text
