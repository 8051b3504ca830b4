"""The interval of a share of independent trials."""

from __future__ import annotations

from scipy.stats import binomtest


def wilson_interval(right: int, total: int) -> tuple[float, float]:
    """Computes the 95 % interval of a share (Wilson 1927).

    Args:
        right: number of successes, 0 to ``total``.
        total: number of trials, 1 or above.
    """
    interval = binomtest(right, total).proportion_ci(confidence_level=0.95, method="wilson")
    return float(interval.low), float(interval.high)
