"""Which handshakes have failed, by when they began and which connections stand."""

from __future__ import annotations

import pytest

from segue.server.observability.metrics import Metrics
from segue.server.security.tls_handshakes import PATIENCE_SECONDS, Handshakes

METHOD = "/segue.v1.CatalogService/GetStatus"


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """The seconds that it shows."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """What the time is told by."""
    return Clock()


@pytest.fixture
def metrics() -> Metrics:
    """Where failures are counted."""
    return Metrics()


@pytest.fixture
def handshakes(metrics: Metrics, clock: Clock) -> Handshakes:
    """Three that began at once."""
    made = Handshakes(metrics, clock)
    for _ in range(3):
        made.begin()
    return made


def failed(metrics: Metrics) -> float | None:
    """How many have failed."""
    return metrics.registry.get_sample_value("segue_tls_failures_total")


def test_those_that_came_to_nothing(handshakes: Handshakes, metrics: Metrics, clock: Clock) -> None:
    """One that stands and one that called, and is gone, are well; the third has failed, once, and not at once."""
    handshakes.began(METHOD, "ipv4:10.0.0.1:1")
    handshakes.look({"ipv4:10.0.0.2:2"})
    assert 0 == failed(metrics)
    for _ in range(2):
        clock.now += PATIENCE_SECONDS
        handshakes.look({"ipv4:10.0.0.2:2"})
        assert 1 == failed(metrics)


def test_a_connection_is_counted_once(handshakes: Handshakes, metrics: Metrics, clock: Clock) -> None:
    """Many calls of a connection that stands do not hide the failure of others."""
    for _ in range(5):
        handshakes.began(METHOD, "ipv4:10.0.0.1:1")
        handshakes.look({"ipv4:10.0.0.1:1"})
    clock.now += PATIENCE_SECONDS
    handshakes.look({"ipv4:10.0.0.1:1"})
    assert 2 == failed(metrics)


def test_a_port_that_comes_again(handshakes: Handshakes, metrics: Metrics, clock: Clock) -> None:
    """A connection from where one was before, which is gone, is another one."""
    handshakes.began(METHOD, "ipv4:10.0.0.1:1")
    handshakes.look(set())
    handshakes.began(METHOD, "ipv4:10.0.0.1:1")
    clock.now += PATIENCE_SECONDS
    handshakes.look(set())
    assert 1 == failed(metrics)


def test_new_ones_do_not_hide_old_ones(handshakes: Handshakes, metrics: Metrics, clock: Clock) -> None:
    """Those that failed are counted while others go well all the time."""
    clock.now += PATIENCE_SECONDS / 2
    for port in range(100):
        handshakes.begin()
        handshakes.began(METHOD, f"ipv4:10.0.0.1:{port}")
    clock.now += PATIENCE_SECONDS / 2
    handshakes.look(set())
    assert 3 == failed(metrics)
