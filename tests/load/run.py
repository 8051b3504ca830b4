"""Puts a fresh server under load and writes what came of it: ``python -m tests.load.run [--seconds N] [FILE]``.

Every latency stands beside that of a bare service which takes the same bytes and does nothing, of the same run.
Exits with 1 where a promise was not kept, or where ghz is not there and cannot be had.
"""

from __future__ import annotations

import os
import platform
import re
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click
import grpc

from segue.core.model.artifact import Manifest, read_manifest
from segue.core.paths import DEFAULT_MODEL, default_model
from segue.v1 import recommendation_service_pb2, recommendation_service_pb2_grpc
from tests.load import balanced, rolling
from tests.load.ghz import ROOT, Load, Measured, begin, end, find_ghz, send
from tests.load.music import CLIPS, add_tracks, kind, recommend_by_clip, recommend_by_id, small_and_large
from tests.load.page import Page
from tests.load.servers import Memory, Redis, bare_server, segue_server
from tests.load.swaps import made_aside, put_in_place, swapped

CLASSIFY = "segue.v1.ClassificationService.Classify"
RECOMMEND = "segue.v1.RecommendationService.Recommend"
_TRACKS = 5_000
_SWAPS = 5
_AWAY_SECONDS = 20.0
# Twenty clips: twice the capacity must fill it while a load lasts, also on a slow machine.
_QUEUE_SECONDS = 600
_HEAD = """# The server under load

`python -m tests.load.run` on {day}, Python {python}, {system}. ghz, the server and whatever else ran shared one
machine, {machine}, which had a load of {load} before.

The network is {network}. The clips are {clips} {kind} ones of 30 s as WAV, sent in turn over up to 8 connections; the
catalogue has {tracks} tracks; a load lasts {seconds} s, and {queue} s of audio may wait. The bare service takes the
same bytes by the same gRPC and does nothing with them.

Snapshots are made before the load that they are swapped in under: making one takes the cores that calls need, and the
indexer has cores of its own, or steps back (`segue-indexer --nice`)."""
# What the median of one caller may be, in that of the bare service: about four times what a quiet machine measured.
# More cores, or faster ones, shorten both.
_CLASSIFY_RATIOS = {"1.3 MB": 400, "5.3 MB": 100}
_RECOMMEND_RATIOS = {"a track's id": 40, "1.3 MB": 400}


@dataclass(frozen=True)
class Bench:
    """What the measurements share."""

    page: Page
    data: Path
    redis: Redis
    manifest: Manifest
    messages: dict[str, Path]
    seconds: float
    address: str
    memory: Memory


def closed_loop(bench: Bench, bare: str) -> float:
    """Callers that wait for their answers; answers the server's capacity for small clips, calls a second."""
    rows = _beside(bench, bare, CLASSIFY, bench.messages, (1, 8, 64))
    _ratios(bench.page, rows, _CLASSIFY_RATIOS)
    return max(row.measured.rate for row in rows if row.name == "1.3 MB")


def recommending(bench: Bench, bare: str) -> None:
    """Callers that wait for recommendations, by tracks of the catalogue and by clips."""
    seeds = {
        "a track's id": recommend_by_id(bench.data / "ids.json"),
        "1.3 MB": recommend_by_clip(bench.data / "seeds.json"),
    }
    _ratios(bench.page, _beside(bench, bare, RECOMMEND, seeds, (1, 8)), _RECOMMEND_RATIOS)


@dataclass(frozen=True)
class Row:
    """A closed loop, and the same at the bare service."""

    name: str
    callers: int
    measured: Measured
    base: Measured

    @property
    def ratio(self) -> float:
        """The median in those of the bare service."""
        return self.measured.latency(50) / self.base.latency(50)


def _beside(bench: Bench, bare: str, call: str, messages: dict[str, Path], callers: tuple[int, ...]) -> list[Row]:
    """Closed loops, each beside the bare service."""
    rows = []
    columns = ("calls/s", "p50 ms", "p90 ms", "p99 ms", "refused", "failed", "bare p50 ms", "p50 / bare")
    bench.page.table(call.rpartition(".")[2], "callers", *columns)
    for name, message in messages.items():
        for count in callers:
            load = Load(call, message, count)
            base, measured = send(bare, load, bench.seconds / 3), send(bench.address, load, bench.seconds)
            rows.append(Row(name, count, measured, base))
            _closed_row(bench.page, rows[-1])
    return rows


def _closed_row(page: Page, row: Row) -> None:
    measured = row.measured
    latencies = [measured.latency(percent) for percent in (50, 90, 99)]
    wrong = len(measured.refused), measured.failed or 0
    page.row(row.name, row.callers, measured.rate, *latencies, *wrong, row.base.latency(50), row.ratio)


def _ratios(page: Page, rows: list[Row], most: dict[str, int]) -> None:
    """Whether the server is within the thresholds beside the bare service, and whom it turned away."""
    page.table("beside the bare service", "measured", "kept")
    for name, limit in most.items():
        (ratio,) = (row.ratio for row in rows if (row.name, row.callers) == (name, 1))
        page.promise(f"{name}: the median of one caller is at most {limit} times", ratio <= limit, f"{ratio:.1f}")
    refused = sum(len(row.measured.refused) for row in rows if row.callers <= 8)
    page.promise("up to 8 callers are never refused", refused == 0, f"{refused} refused")
    failed = sum(sum(row.measured.failed.values()) for row in rows)
    page.promise("nothing fails but by being refused", failed == 0, f"{failed} failed")


def open_loop(bench: Bench, capacity: float) -> None:
    """Calls that come whether or not earlier ones were answered."""
    small = bench.messages["1.3 MB"]
    before = send(bench.address, Load(CLASSIFY, small), bench.seconds)
    held = bench.memory.most = bench.memory.now()
    half = send(bench.address, Load(CLASSIFY, small, rate=capacity / 2), bench.seconds)
    twice = send(bench.address, Load(CLASSIFY, small, rate=capacity * 2), 2 * bench.seconds)
    after = send(bench.address, Load(CLASSIFY, small), bench.seconds)
    bench.page.table("open loop", "sent/s", "OK/s", "refused", "failed", "p50 ms", "p99 ms", "refused p95 ms")
    for name, measured in (("half", half), ("twice", twice)):
        _open_row(bench.page, name, measured)
    _promises(bench, capacity, twice, before, after, held)


def _open_row(page: Page, name: str, measured: Measured) -> None:
    sent = (len(measured.latencies) + len(measured.refused) + sum(measured.failed.values())) / measured.seconds
    latencies = measured.latency(50), measured.latency(99)
    page.row(name, sent, measured.rate, len(measured.refused), measured.failed or 0, *latencies, measured.refusal(95))


def _promises(bench: Bench, capacity: float, twice: Measured, before: Measured, after: Measured, held: float) -> None:
    page, share = bench.page, twice.rate / capacity
    page.table("at twice the capacity", "measured", "kept")
    page.promise("goodput is at least 0.9 of the capacity", share >= 0.9, f"{share:.2f}")
    page.promise("95 % of the refused are answered in 100 ms", twice.refusal(95) < 100, f"{twice.refusal(95):.0f} ms")
    page.promise("nothing fails but by being refused", not twice.failed, str(twice.failed or "nothing"))
    grown = bench.memory.most - held
    page.promise("memory grows by less than 1 GiB", grown < 1024, f"{grown:.0f} MiB on {held:.0f}")
    ratio = after.latency(50) / before.latency(50)
    page.promise("latency afterwards is what it was, within 1.5", ratio < 1.5, f"{ratio:.2f}")


def redis_away(bench: Bench) -> None:
    """Kills Redis for 20 s under load."""
    classify = begin(bench.address, Load(CLASSIFY, bench.messages["1.3 MB"], 2), _AWAY_SECONDS + 8)
    recommend = begin(
        bench.address, Load(RECOMMEND, recommend_by_id(bench.data / "seed.json"), rate=20), _AWAY_SECONDS + 8
    )
    time.sleep(3)
    bench.redis.kill()
    time.sleep(_AWAY_SECONDS)
    bench.redis.start()
    back = time.monotonic()
    whole = _until(lambda: _fresh(bench.address)) - back
    classified, recommended = end(classify), end(recommend)
    bench.page.table("Redis killed for 20 s", "measured", "kept")
    failed = classified.failed | ({"refused": len(classified.refused)} if classified.refused else {})
    bench.page.promise(
        "Classify never fails", not failed, f"{len(classified.latencies)} calls, {failed or 'none failed'}"
    )
    bench.page.promise("Recommend is whole again within 2 s", whole < 2, f"{whole:.2f} s")
    answered = f"{len(recommended.latencies)} calls, {recommended.failed or 'none failed'}"
    bench.page.promise("Recommend by id goes on from memory", not recommended.failed, answered)


def _fresh(address: str) -> bool:
    with grpc.insecure_channel(address) as channel:
        stub = recommendation_service_pb2_grpc.RecommendationServiceStub(channel)
        request = recommendation_service_pb2.RecommendRequest(track_id=f"{0:032x}")
        try:
            return not stub.Recommend(request, timeout=5).revision.stale
        except grpc.RpcError:
            return False


def _until(true: Callable[[], bool]) -> float:
    while not true():
        time.sleep(0.05)
    return time.monotonic()


def snapshot_swaps(bench: Bench, capacity: float) -> None:
    """Publishes snapshots one after the other under half load.

    They are made before it: the indexer has cores of its own or steps back, and here it would take those of the calls.
    """
    made = list(made_aside(bench.data, bench.redis.url, bench.manifest, _TRACKS, _SWAPS))
    # Long enough that the 99th percentile is not the slowest call.
    seconds, load = 3 * bench.seconds, Load(CLASSIFY, bench.messages["1.3 MB"], rate=capacity / 2)
    quiet = send(bench.address, load, seconds)
    before, running = swapped(bench.data), begin(bench.address, load, seconds)
    for snapshot in made:
        time.sleep(seconds / (_SWAPS + 1))
        put_in_place(snapshot, bench.data)
    measured, swaps = end(running), swapped(bench.data) - before
    ratio = measured.latency(99) / quiet.latency(99)
    wrong = len(measured.refused) + sum(measured.failed.values())
    bench.page.table("snapshots made beforehand and swapped in under half load", "measured", "kept")
    bench.page.promise("all are swapped in", swaps == _SWAPS, f"{swaps} of {_SWAPS}")
    bench.page.promise("no call fails", wrong == 0, f"{len(measured.latencies)} calls, {wrong} failed")
    figures = f"{ratio:.2f}: {measured.latency(99):.1f} and {quiet.latency(99):.1f} ms"
    bench.page.promise("p99 is at most 2 times the p99 of as long a load without swaps", ratio <= 2, figures)


def rolling_restart(page: Page, folder: Path, redis: Redis) -> None:
    """Starts two servers behind a balancer anew, one after the other, under load."""
    page.table("two servers behind nginx started anew in turn, clips of 5.3 MB", "measured", "kept")
    if not balanced.NGINX.exists():
        page.row("no call fails", "nginx: not run", "not known")
        return
    rolled = rolling.measure(folder, redis, 2, 4)
    measured = f"{rolled.calls} calls, {len(rolled.failed)} failed, {len(rolled.codes)} restarts"
    page.promise("no call fails, and every server ends with 0", rolled.well, measured)


def head(seconds: float) -> str:
    """What was measured, on what."""
    return _HEAD.format(
        day=f"{datetime.now(UTC):%Y-%m-%d}",
        python=platform.python_version(),
        system=f"{platform.system()} on {platform.machine()}",
        machine=_machine(),
        load=f"{os.getloadavg()[0]:.1f}",
        network=DEFAULT_MODEL,
        clips=CLIPS,
        kind=kind(),
        tracks=f"{_TRACKS:,}",
        seconds=f"{seconds:g}",
        queue=_QUEUE_SECONDS,
    )


def _machine() -> str:
    """Its processor and its memory."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    told = Path("/proc/cpuinfo")  # which macOS has not
    names = re.findall(r"^model name\s*: (.*)$", told.read_text() if told.exists() else "", re.MULTILINE)
    return f"{os.cpu_count()} cores of {names[0] if names else 'a processor without a name'} with {memory:.0f} GiB"


def measure(page: Page, folder: Path, seconds: float) -> None:
    """Runs every measurement on a fresh server."""
    manifest = read_manifest(default_model())
    redis = Redis(folder / "redis")
    try:
        add_tracks(folder, redis.url, manifest, 0, _TRACKS)
        options = ("--queue-seconds", str(_QUEUE_SECONDS))
        with segue_server(folder, redis.url, *options) as (address, memory), bare_server() as bare:
            bench = Bench(page, folder, redis, manifest, small_and_large(folder), seconds, address, memory)
            capacity = closed_loop(bench, bare)
            recommending(bench, bare)
            open_loop(bench, capacity)
            snapshot_swaps(bench, capacity)
            redis_away(bench)
        rolling_restart(page, folder, redis)
    finally:
        redis.stop()


@click.command()
@click.option("--seconds", type=click.FloatRange(1), default=15.0, show_default=True, help="How long each load lasts.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), default=ROOT / "docs" / "load.md")
def main(seconds: float, file: Path) -> None:
    """Measures, and writes FILE."""
    find_ghz()
    page = Page(head(seconds).split("\n"))
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "redis").mkdir()
        measure(page, Path(folder), seconds)
    file.write_text("\n".join(page.lines) + "\n", encoding="utf-8")
    click.echo(file.read_text(encoding="utf-8"))
    sys.exit(1 if page.broken else 0)


if __name__ == "__main__":
    main()
