"""A server that callers may write with, over an empty catalogue."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.server.servers import RunningServer, running_server
from tests.helpers.server.stubs import Stubs


@pytest.fixture
def options(tmp_path: Path, tiny_model: Path) -> tuple[str, ...]:
    """The options of the server."""
    return ("--data", str(tmp_path / "data"), "--model", str(tiny_model), "--allow-writes")


@pytest.fixture
def server(options: tuple[str, ...]) -> Iterator[RunningServer]:
    """The server."""
    with running_server(*options) as running:
        yield running


@pytest.fixture
def stubs(server: RunningServer) -> Stubs:
    """Calls to the server."""
    return Stubs(server.address)
