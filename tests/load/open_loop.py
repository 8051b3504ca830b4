"""Open loops: calls are sent at a fixed rate, whether or not earlier ones have ended."""

from __future__ import annotations

from tests.load import ghz
from tests.load.bench import CLASSIFY, Bench
from tests.load.ghz import Load, LoadResult
from tests.load.page import Page


def measure_open_loop(bench: Bench, capacity: float) -> None:
    """Measures Classify at half and at twice the capacity, and a single caller before and after.

    Args:
        bench: the server under test.
        capacity: its capacity for small clips, in calls a second.
    """
    small = bench.requests["1.3 MB"]
    before = ghz.run(bench.address, Load(CLASSIFY, small), bench.seconds)
    memory_before = bench.memory.peak = bench.memory.now()
    half = ghz.run(bench.address, Load(CLASSIFY, small, rate=capacity / 2), bench.seconds)
    twice = ghz.run(bench.address, Load(CLASSIFY, small, rate=capacity * 2), 2 * bench.seconds)
    after = ghz.run(bench.address, Load(CLASSIFY, small), bench.seconds)
    bench.page.table("open loop", "sent/s", "OK/s", "refused", "failed", "p50 ms", "p99 ms", "refused p95 ms")
    for name, result in (("half", half), ("twice", twice)):
        _add_row(bench.page, name, result)
    _add_overload_promises(bench.page, capacity, twice)
    _add_memory_promise(bench, memory_before)
    ratio = after.latency(50) / before.latency(50)
    bench.page.promise("latency afterwards is at most 1.5 times that before", ratio < 1.5, f"{ratio:.2f}")


def _add_row(page: Page, name: str, result: LoadResult) -> None:
    refused = len(result.refusals)
    sent = (len(result.latencies) + refused + result.failed) / result.seconds
    latencies = result.latency(50), result.latency(99)
    page.row(name, sent, result.rate, refused, result.failures or 0, *latencies, result.refusal_latency(95))


def _add_overload_promises(page: Page, capacity: float, twice: LoadResult) -> None:
    share, refusal = twice.rate / capacity, twice.refusal_latency(95)
    page.table("at twice the capacity", "measured", "kept")
    page.promise("goodput is at least 0.9 of the capacity", share >= 0.9, f"{share:.2f}")
    page.promise("95 % of the refusals take less than 100 ms", refusal < 100, f"{refusal:.0f} ms")
    page.promise("calls fail by refusal only", not twice.failures, str(twice.failures or "none failed"))


def _add_memory_promise(bench: Bench, before: float) -> None:
    growth = bench.memory.peak - before
    bench.page.promise("memory grows by less than 1 GiB", growth < 1024, f"{growth:.0f} MiB on {before:.0f}")
