"""The services after a stop and a new start on the same volumes."""

from __future__ import annotations

import pytest

from tests.e2e.containers.compose import Compose

STATE = ("inspect", "--format", "{{.State.Status}} {{.State.ExitCode}}")


@pytest.fixture(scope="module")
def stopped_servers(indexed: Compose) -> list[str]:
    """The state of each server's container after a stop; all services run again, in new containers."""
    containers = indexed.containers("server")
    indexed.output("stop", "server")
    states = indexed.docker.output(*STATE, *containers).splitlines()
    indexed.down()
    indexed.up()
    return states


def test_servers_end_with_exit_code_0(stopped_servers: list[str]) -> None:
    """A server that is stopped ends in good order, within its grace period."""
    assert ["exited 0", "exited 0"] == stopped_servers


@pytest.mark.usefixtures("stopped_servers")
def test_the_catalogue_survives_its_containers(indexed: Compose, clip: str) -> None:
    """New containers on the same volumes recommend from the same catalogue."""
    ended = indexed.client("recommend", clip, "--limit", "5")
    assert 0 == ended.returncode, ended.stdout + ended.stderr
