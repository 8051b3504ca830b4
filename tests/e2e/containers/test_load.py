"""The servers under load from ghz in its container."""

from __future__ import annotations

import pytest

from tests.e2e.containers.compose import Compose


@pytest.mark.usefixtures("load_image")
def test_no_call_fails_under_load(indexed: Compose, clips_inside: list[str]) -> None:
    """Ten seconds of calls all succeed."""
    report = indexed.output("--profile", "load", "run", "--rm", "-T", "load", *clips_inside, "--duration", "10s")
    assert "[OK]" in report
    assert "Error distribution" not in report, report
