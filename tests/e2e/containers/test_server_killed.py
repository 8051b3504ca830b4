"""A server that is killed while clients call."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.containers.compose import DOCKER, Compose

CALLS = 80
TOKEN = ("--env", "SEGUE_TOKEN_FILE=/run/secrets/token")
IN_CONTAINER = ("run", "--rm", "-T", *TOKEN, "--entrypoint", "python3", "client")


@pytest.fixture
def repaired(indexed: Compose) -> Iterator[Compose]:
    """The services, which are all started again at the end."""
    yield indexed
    indexed.up()


def test_no_call_fails_when_a_server_is_killed(repaired: Compose, clip: str, tmp_path: Path) -> None:
    """Four callers with the client's own retries lose no call when one of two servers is killed."""
    arguments = ("-", "balancer:50051", clip, str(CALLS))
    log = tmp_path / "callers.log"
    with repaired.popen(*IN_CONTAINER, *arguments, stdin=DOCKER / "callers.py", stderr=log) as callers:
        assert callers.stdout is not None
        first_line = callers.stdout.readline()  # the callers print it once calls succeed
        assert first_line, log.read_text()
        repaired.docker.output("kill", repaired.containers("server")[0])
        report = callers.stdout.read()
    assert 0 == callers.returncode, report + log.read_text()
    assert report.startswith(f"{CALLS} calls, 0 failed")
