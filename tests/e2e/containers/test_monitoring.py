"""Prometheus in its container."""

from __future__ import annotations

import re

import pytest

from tests.e2e.containers.compose import Compose
from tests.helpers.machine.waiting import wait_until

PROMTOOL = ("promtool", "query", "instant", "http://127.0.0.1:9090")


def value(compose: Compose, query: str) -> str | None:
    """Returns the value of a query in Prometheus, or None while it has none."""
    printed = compose.execute("prometheus", *PROMTOOL, query).stdout
    sample = re.search(r".* => (\S+) @", printed)
    return sample[1] if sample else None


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param('sum(up{job="segue"})', "2", id="both servers are read"),
        pytest.param("min(segue_index_tracks) > bool 0", "1", id="both servers have the catalogue"),
    ],
)
def test_prometheus_reads_every_server(indexed: Compose, query: str, expected: str) -> None:
    """Prometheus finds both servers by their name, and reads the figures of both."""
    wait_until(lambda: expected == value(indexed, query))


def test_prometheus_counts_calls(indexed: Compose, clip: str) -> None:
    """A call that succeeded is in the figures."""
    ended = indexed.client("classify", clip)
    assert 0 == ended.returncode, ended.stderr
    query = 'sum(segue_requests_total{code="OK", method=~"/segue.v1.*"}) > bool 0'
    wait_until(lambda: "1" == value(indexed, query))


def test_the_configuration_is_valid(stack: Compose) -> None:
    """Prometheus' own tool accepts the configuration, and the rules of the alerts that it names."""
    ended = stack.execute("prometheus", "promtool", "check", "config", "/etc/segue/prometheus.yml")
    assert 0 == ended.returncode, ended.stdout + ended.stderr


def test_the_alerts_fire_as_promised(stack: Compose) -> None:
    """Each alert fires for the figures of a failing server, and none for those of a healthy one."""
    ended = stack.execute("prometheus", "promtool", "test", "rules", "/etc/segue/alerts_test.yml")
    assert 0 == ended.returncode, ended.stdout + ended.stderr
