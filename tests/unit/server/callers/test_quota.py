from __future__ import annotations

import pytest

from segue.core.errors import QuotaExceeded
from segue.server.callers.quota import QuotaMeter, Quotas


class Clock:
    """A clock that the test sets.

    Attributes:
        now: the time in seconds.
    """

    now = 0.0

    def __call__(self) -> float:
        """Returns the time."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock that the test sets."""
    return Clock()


def test_rate(clock: Clock) -> None:
    """The calls of 10 s may come at once; then one is accepted whenever its time has come."""
    meter = QuotaMeter("player", Quotas(rate=0.5), clock=clock)
    for _ in range(5):
        with meter.call():
            pass
    with pytest.raises(QuotaExceeded, match="Token player has reached its quota rate") as raised, meter.call():
        pass
    assert 2.0 == pytest.approx(raised.value.retry_seconds)
    clock.now += raised.value.retry_seconds
    with meter.call():
        pass
    clock.now += 1_000
    for _ in range(5):
        with meter.call():
            pass
    with pytest.raises(QuotaExceeded), meter.call():
        pass


def test_a_slow_rate(clock: Clock) -> None:
    """A rate of less than one call in 10 s accepts one call at a time."""
    meter = QuotaMeter("player", Quotas(rate=0.01), clock=clock)
    with meter.call():
        pass
    with pytest.raises(QuotaExceeded) as raised, meter.call():
        pass
    assert 100.0 == pytest.approx(raised.value.retry_seconds)


def test_concurrency(clock: Clock) -> None:
    """A call above the concurrency is refused until another has ended."""
    meter = QuotaMeter("player", Quotas(concurrency=2), clock=clock)
    with meter.call():
        with meter.call(), pytest.raises(QuotaExceeded, match="2 calls are running"), meter.call():
            pass
        with meter.call():
            pass


def test_a_refused_call_uses_nothing(clock: Clock) -> None:
    """A call that is refused for its concurrency does not count towards the rate."""
    meter = QuotaMeter("player", Quotas(rate=0.2, concurrency=1), clock=clock)
    with meter.call(), pytest.raises(QuotaExceeded, match="concurrency"), meter.call():
        pass
    with meter.call():
        pass


def test_seconds_of_audio(clock: Clock) -> None:
    """The audio of an hour may come at once; then a clip waits until its seconds are there."""
    meter = QuotaMeter("player", Quotas(seconds_of_audio=3_600), clock=clock)
    meter.count_audio(3_590)
    meter.check_audio(10)
    with pytest.raises(QuotaExceeded, match="3600 s of audio an hour are used up") as raised:
        meter.check_audio(30)
    assert 20.0 == pytest.approx(raised.value.retry_seconds)
    clock.now += 20
    meter.check_audio(30)


def test_a_clip_above_the_quota(clock: Clock) -> None:
    """A clip with more seconds than the quota of an hour is accepted after an hour without any."""
    meter = QuotaMeter("player", Quotas(seconds_of_audio=36), clock=clock)
    meter.check_audio(60)
    meter.count_audio(60)
    with pytest.raises(QuotaExceeded):
        meter.check_audio(0)
    clock.now += 3_600 * 60 / 36
    meter.check_audio(60)


def test_no_quotas(clock: Clock) -> None:
    """A token without quotas is never refused."""
    meter = QuotaMeter("player", Quotas(), clock=clock)
    for _ in range(1_000):
        with meter.call():
            meter.check_audio(1e9)
            meter.count_audio(1e9)


def test_requests_of_a_stream(clock: Clock) -> None:
    """The requests of one call count towards the rate, not towards the concurrency."""
    meter = QuotaMeter("player", Quotas(rate=0.3, concurrency=1), clock=clock)
    with meter.call():
        meter.count_call()
        meter.count_call()
        with pytest.raises(QuotaExceeded, match="rate"):
            meter.count_call()


@pytest.mark.parametrize(("rate", "now"), [(41.7058, 0.0), (3.0, 1e5), (7.1, 1e6), (0.00123, 12_345.678)])
def test_the_pause_is_long_enough(clock: Clock, rate: float, now: float) -> None:
    """A call after the pause that a refusal names is accepted, whatever digits the pause has."""
    clock.now = now
    meter = QuotaMeter("player", Quotas(rate=rate), clock=clock)

    def call_repeatedly() -> None:
        for _ in range(1_000):
            with meter.call():
                clock.now += 0.0001

    with pytest.raises(QuotaExceeded) as raised:
        call_repeatedly()
    clock.now += raised.value.retry_seconds
    with meter.call():
        pass
