"""Disruptions under load: Redis is killed, snapshots are swapped in, and servers behind a balancer restart."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import grpc

from segue.core.model.artifact import Manifest
from segue.v1 import recommendation_service_pb2, recommendation_service_pb2_grpc
from tests.load import balanced, ghz, rolling
from tests.load.bench import CLASSIFY, RECOMMEND, TRACKS, Bench
from tests.load.ghz import Load, LoadResult
from tests.load.music import add_tracks, recommend_by_id
from tests.load.page import Page
from tests.load.servers import Redis

_SWAPS = 5
_TRACKS_PER_SNAPSHOT = 100
_OUTAGE_SECONDS = 20.0


def kill_redis(bench: Bench) -> None:
    """Measures calls while Redis is killed, and started again after 20 s."""
    seconds = _OUTAGE_SECONDS + 8
    classify = ghz.start(bench.address, Load(CLASSIFY, bench.requests["1.3 MB"], 2), seconds)
    recommend = ghz.start(bench.address, Load(RECOMMEND, recommend_by_id(bench.data / "seed.json"), rate=20), seconds)
    time.sleep(3)
    bench.redis.kill()
    time.sleep(_OUTAGE_SECONDS)
    bench.redis.start()
    stale = _seconds_until_fresh(bench.address)
    classified, recommended = ghz.finish(classify), ghz.finish(recommend)
    bench.page.table("Redis killed for 20 s", "measured", "kept")
    succeeded = not classified.failures and not classified.refusals
    bench.page.promise("Classify never fails", succeeded, _outcome(classified))
    bench.page.promise("Recommend is fresh again within 2 s", stale < 2, f"{stale:.2f} s")
    bench.page.promise("Recommend by id continues from memory", not recommended.failures, _outcome(recommended))


def _outcome(result: LoadResult) -> str:
    refused = {"refused": len(result.refusals)} if result.refusals else {}
    return f"{len(result.latencies)} calls, {result.failures | refused or 'none failed'}"


def _seconds_until_fresh(address: str) -> float:
    """Waits until recommendations are no longer marked as stale."""
    begin = time.monotonic()
    while not _is_fresh(address):
        time.sleep(0.05)
    return time.monotonic() - begin


def _is_fresh(address: str) -> bool:
    with grpc.insecure_channel(address) as channel:
        stub = recommendation_service_pb2_grpc.RecommendationServiceStub(channel)
        request = recommendation_service_pb2.RecommendRequest(track_id=f"{0:032x}")
        try:
            return not stub.Recommend(request, timeout=5).revision.stale
        except grpc.RpcError:
            return False


def swap_snapshots(bench: Bench, capacity: float) -> None:
    """Measures half load while snapshots are published one after the other.

    They are built before the load: the indexer has cores of its own or a lower priority, and here it would take
    processor time from the calls.
    """
    snapshots = list(build_snapshots(bench.data, bench.redis.url, bench.manifest, _SWAPS))
    # Three times as long, so that the 99th percentile is not the slowest call.
    seconds, load = 3 * bench.seconds, Load(CLASSIFY, bench.requests["1.3 MB"], rate=capacity / 2)
    quiet = ghz.run(bench.address, load, seconds)
    before, process = count_swaps(bench.data), ghz.start(bench.address, load, seconds)
    for snapshot in snapshots:
        time.sleep(seconds / (_SWAPS + 1))
        snapshot.rename(bench.data / "snapshots" / snapshot.name)  # as the indexer publishes
    result = ghz.finish(process)
    _add_swap_promises(bench.page, result, quiet, count_swaps(bench.data) - before)


def build_snapshots(data: Path, redis: str, manifest: Manifest, count: int) -> Iterator[Path]:
    """Adds tracks to the catalogue and builds a snapshot, several times; the server follows the events meanwhile.

    Args:
        data: the server's data folder. Snapshots are built within it, since a rename is atomic in one file system only.
        redis: address of the catalogue.
        manifest: that of the catalogue's model.
        count: number of snapshots.
    """
    for number in range(count):
        folder = data / f"unpublished-{number}"
        add_tracks(folder, redis, manifest, TRACKS + _TRACKS_PER_SNAPSHOT * number, _TRACKS_PER_SNAPSHOT)
        yield from (folder / "snapshots").iterdir()


def count_swaps(data: Path) -> int:
    """Returns the number of snapshots that the server has logged as loaded."""
    return (data / "server.log").read_text(encoding="utf-8").count("is loaded")


def _add_swap_promises(page: Page, result: LoadResult, quiet: LoadResult, swaps: int) -> None:
    ratio = result.latency(99) / quiet.latency(99)
    unsuccessful = len(result.refusals) + result.failed
    page.table("snapshots built beforehand and swapped in under half load", "measured", "kept")
    page.promise("all are swapped in", swaps == _SWAPS, f"{swaps} of {_SWAPS}")
    page.promise("no call fails", unsuccessful == 0, f"{len(result.latencies)} calls, {unsuccessful} failed")
    figures = f"{ratio:.2f}: {result.latency(99):.1f} and {quiet.latency(99):.1f} ms"
    page.promise("p99 is at most 2 times the p99 of an equal load without swaps", ratio <= 2, figures)


def restart_servers(page: Page, folder: Path, redis: Redis) -> None:
    """Measures calls while two servers behind a balancer restart in turn."""
    page.table("two servers behind nginx restart in turn, clips of 5.3 MB", "measured", "kept")
    if not balanced.NGINX.exists():
        page.row("no call fails", "nginx: not run", "unknown")
        return
    result = rolling.measure(folder, redis, 2, 4)
    page.promise("no call fails, and every server ends with 0", result.succeeded, result.summary)
