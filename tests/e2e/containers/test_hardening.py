"""The rights of the processes in running containers."""

from __future__ import annotations

import pytest

from tests.e2e.containers.compose import Compose

SERVICES = ("server", "balancer", "prometheus", "redis")
WRITE_EVERYWHERE = """
for folder in / /etc /opt/segue /opt/segue/lib /data /var/tmp /run; do
  ! touch "$folder/x" 2>/dev/null || echo "$folder"
done
"""


@pytest.fixture(params=SERVICES)
def service(request: pytest.FixtureRequest) -> str:
    """Each service that runs for as long as the project is up."""
    return str(request.param)


def test_a_service_has_no_capabilities(stack: Compose, service: str) -> None:
    """No process has any power of root's."""
    assert "CapEff:\t0000000000000000\n" == stack.execute(service, "grep", "CapEff", "/proc/1/status").stdout


def test_a_service_can_gain_no_privileges(stack: Compose, service: str) -> None:
    """A program with the set-user-id bit gives a service no more rights."""
    assert "NoNewPrivs:\t1\n" == stack.execute(service, "grep", "NoNewPrivs", "/proc/1/status").stdout


def test_the_root_file_system_is_read_only(stack: Compose, service: str) -> None:
    """Even root cannot write to it."""
    assert "Read-only file system" in stack.execute(service, "touch", "/x", user="0").stderr


def test_the_server_cannot_write_outside_of_tmp(stack: Compose) -> None:
    """The server's user can create a file in no other folder, its data folder included."""
    ended = stack.execute("server", "sh", "-c", WRITE_EVERYWHERE)
    assert 0 == ended.returncode, ended.stderr
    assert [] == ended.stdout.split()


def test_the_server_can_write_to_tmp(stack: Compose) -> None:
    """The server's user can create a file in /tmp."""
    ended = stack.execute("server", "touch", "/tmp/x")
    assert 0 == ended.returncode, ended.stderr
