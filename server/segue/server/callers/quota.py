"""Quotas of access tokens: calls a second, calls at once, and seconds of audio an hour."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, Protocol

from segue.core.errors import QuotaExceeded

QuotaName = Literal["rate", "concurrency", "seconds_of_audio"]

_BURST_SECONDS = 10.0
_HOUR = 3600.0
# A caller that waits as long as an error says is not refused for the last digits of a sum.
_ROUNDING_SECONDS = 1e-6
# Until one of the running calls ends; how long that takes is not known.
_CONCURRENCY_RETRY_SECONDS = 1.0


@dataclass(frozen=True)
class Quotas:
    """The quotas of a token; None is no limit.

    Attributes:
        rate: average number of calls in a second, above 0. After a pause, the calls of 10 s may come at once.
        concurrency: number of calls at once, at least 1.
        seconds_of_audio: seconds of audio that are analyzed in an hour, above 0. After a pause, those of an hour may
            come at once.
    """

    rate: float | None = None
    concurrency: int | None = None
    seconds_of_audio: float | None = None


class QuotaMetrics(Protocol):
    """Counts the use of quotas; ``observability.metrics.Metrics`` does."""

    def count_quota_exceeded(self, token: str, quota: str) -> None:
        """Counts a call or a clip that exceeded a quota of a token."""

    def count_quota_audio(self, token: str, seconds: float) -> None:
        """Counts seconds of audio towards the quota of a token."""


class _Bucket:
    """A token bucket: it fills at a constant rate up to its size, and may be overdrawn once.

    Source: J. Turner, "New directions in communications (or which way to the information age?)", IEEE Communications
    Magazine 24(10), 1986.
    """

    def __init__(self, size: float, per_second: float, clock: Callable[[], float]) -> None:
        self._size, self._per_second, self._clock = size, per_second, clock
        self._content, self._since = size, clock()

    def seconds_until(self, amount: float) -> float:
        """Returns the seconds until the bucket has an amount, or is full; 0 if it has."""
        now = self._clock()
        self._content = min(self._size, self._content + (now - self._since) * self._per_second)
        self._since = now
        seconds = (min(amount, self._size) - self._content) / self._per_second
        return seconds if seconds > _ROUNDING_SECONDS else 0.0

    def remove(self, amount: float) -> None:
        """Removes an amount, even one that the bucket does not have."""
        self._content -= amount


class QuotaMeter:
    """Measures what a token uses, and refuses what exceeds its quotas; not thread-safe.

    Attributes:
        quotas: the quotas.
    """

    def __init__(
        self,
        token: str,
        quotas: Quotas,
        metrics: QuotaMetrics | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begins with full buckets.

        Args:
            token: name of the token, for messages.
            quotas: its quotas.
            metrics: receives what is used and refused, or None.
            clock: returns the time in seconds.
        """
        self.quotas = quotas
        self._token = token
        self._metrics = metrics
        self._calls = 0
        rate, audio = quotas.rate, quotas.seconds_of_audio
        self._rate = _Bucket(max(1.0, rate * _BURST_SECONDS), rate, clock) if rate else None
        self._audio = _Bucket(audio, audio / _HOUR, clock) if audio else None

    @contextmanager
    def call(self) -> Iterator[None]:
        """Counts a call for the duration of the block.

        Raises:
            QuotaExceeded: it is one too many at once, or in this time.
        """
        if self.quotas.concurrency and self._calls >= self.quotas.concurrency:
            raise self._exceeded("concurrency", f"{self._calls} calls are running", _CONCURRENCY_RETRY_SECONDS)
        self.count_call()
        self._calls += 1
        try:
            yield
        finally:
            self._calls -= 1

    def count_call(self) -> None:
        """Counts a call, or one of the requests of a stream, towards the rate.

        Raises:
            QuotaExceeded: it is one too many in this time.
        """
        if self._rate:
            if wait := self._rate.seconds_until(1.0):
                raise self._exceeded("rate", f"its rate is {self.quotas.rate:g} calls a second", wait)
            self._rate.remove(1.0)

    def check_audio(self, seconds: float) -> None:
        """Checks that seconds of audio may be analyzed now; an hour's worth is always enough for one clip.

        Raises:
            QuotaExceeded: not yet.
        """
        if self._audio and (wait := self._audio.seconds_until(seconds)):
            used = f"{self.quotas.seconds_of_audio:g} s of audio an hour are used up"
            raise self._exceeded("seconds_of_audio", used, wait)

    def count_audio(self, seconds: float) -> None:
        """Counts seconds of audio that are analyzed."""
        if self._metrics:
            self._metrics.count_quota_audio(self._token, seconds)
        if self._audio:
            self._audio.remove(seconds)

    def _exceeded(self, quota: QuotaName, fact: str, wait: float) -> QuotaExceeded:
        if self._metrics:
            self._metrics.count_quota_exceeded(self._token, quota)
        text = f"Token {self._token} has reached its quota {quota}: {fact}. Try again in {math.ceil(wait):,} s."
        error = QuotaExceeded(text, subject=f"token:{self._token}", quota=quota)
        error.retry_seconds = wait
        return error


NO_QUOTAS = QuotaMeter("", Quotas())
"""Limits nothing."""
