"""Closed loops: each caller waits for its answer before the next call. Each runs on the bare service as well."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.load import ghz
from tests.load.bench import CLASSIFY, RECOMMEND, Bench
from tests.load.ghz import Load, LoadResult
from tests.load.music import recommend_by_clip, recommend_by_id
from tests.load.page import Page

# Limits for the median of one caller, as a multiple of the bare service's: about four times what a quiet machine
# measured. More or faster cores shorten both.
_CLASSIFY_RATIOS = {"1.3 MB": 400, "5.3 MB": 100}
_RECOMMEND_RATIOS = {"track id": 40, "1.3 MB": 400}
_COLUMNS = ("calls/s", "p50 ms", "p90 ms", "p99 ms", "refused", "failed", "bare p50 ms", "p50 / bare")


@dataclass(frozen=True)
class Row:
    """A closed loop on the server and on the bare service.

    Attributes:
        name: the kind of request, such as "1.3 MB".
        callers: number of concurrent callers.
        result: the result of the server.
        bare: the result of the bare service.
    """

    name: str
    callers: int
    result: LoadResult
    bare: LoadResult

    @property
    def ratio(self) -> float:
        """The server's median latency as a multiple of the bare service's."""
        return self.result.latency(50) / self.bare.latency(50)


def measure_classify(bench: Bench, bare: str) -> float:
    """Measures Classify and returns the server's capacity for small clips, in calls a second."""
    rows = _measure(bench, bare, CLASSIFY, bench.requests, (1, 8, 64))
    _add_promises(bench.page, rows, _CLASSIFY_RATIOS)
    return max(row.result.rate for row in rows if row.name == "1.3 MB")


def measure_recommend(bench: Bench, bare: str) -> None:
    """Measures Recommend, by tracks of the catalogue and by clips."""
    requests = {
        "track id": recommend_by_id(bench.data / "ids.json"),
        "1.3 MB": recommend_by_clip(bench.data / "seeds.json"),
    }
    rows = _measure(bench, bare, RECOMMEND, requests, (1, 8))
    _add_promises(bench.page, rows, _RECOMMEND_RATIOS)


def _measure(bench: Bench, bare: str, call: str, requests: dict[str, Path], callers: tuple[int, ...]) -> list[Row]:
    rows = []
    bench.page.table(call.rpartition(".")[2], "callers", *_COLUMNS)
    for name, file in requests.items():
        for count in callers:
            load = Load(call, file, count)
            bare_result = ghz.run(bare, load, bench.seconds / 3)
            rows.append(Row(name, count, ghz.run(bench.address, load, bench.seconds), bare_result))
            _add_row(bench.page, rows[-1])
    return rows


def _add_row(page: Page, row: Row) -> None:
    result = row.result
    latencies = [result.latency(percent) for percent in (50, 90, 99)]
    unsuccessful = len(result.refusals), result.failures or 0
    page.row(row.name, row.callers, result.rate, *latencies, *unsuccessful, row.bare.latency(50), row.ratio)


def _add_promises(page: Page, rows: list[Row], limits: dict[str, int]) -> None:
    page.table("compared to the bare service", "measured", "kept")
    for name, limit in limits.items():
        (ratio,) = (row.ratio for row in rows if (row.name, row.callers) == (name, 1))
        page.promise(f"{name}: the median of one caller is at most {limit} times", ratio <= limit, f"{ratio:.1f}")
    refused = sum(len(row.result.refusals) for row in rows if row.callers <= 8)
    page.promise("up to 8 callers are never refused", refused == 0, f"{refused} refused")
    failed = sum(row.result.failed for row in rows)
    page.promise("calls fail by refusal only", failed == 0, f"{failed} failed")
