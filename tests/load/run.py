"""Puts a fresh server under load and writes what came of it: ``python -m tests.load.run [--seconds N] [FILE]``.

Every latency stands beside that of a bare service which takes the same bytes and does nothing, of the same run.
Exits with 1 where a promise was not kept.
"""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import click
import grpc

from segue.core.artifact import Manifest, read_manifest
from segue.core.places import DEFAULT_MODEL, default_model
from segue.v1 import recommendation_service_pb2, recommendation_service_pb2_grpc

from . import balanced, rolling
from .ghz import ROOT, Load, Measured, begin, end, send
from .music import add_tracks, kind, recommend_by_clip, recommend_message, small_and_large
from .servers import Memory, Redis, bare_server, segue_server

CLASSIFY = "segue.v1.ClassificationService.Classify"
RECOMMEND = "segue.v1.RecommendationService.Recommend"
_TRACKS = 5_000
_AWAY_SECONDS = 20.0
# Twenty clips: twice the capacity must fill it while a load lasts, also on a slow machine.
_QUEUE_SECONDS = 600
_HEAD = """# The server under load

`python -m tests.load.run` on {day}, Python {python}. ghz, the server and whatever else ran shared {cores} cores,
which had a load of {load} before. The network is {network}. The clips are {kind} ones of 30 s as WAV; the catalogue has
{tracks} tracks; a load lasts {seconds} s, and {queue} s of audio may wait. The bare service takes the same bytes by the
same gRPC and does nothing with them."""


@dataclass
class Page:
    """What is written.

    Attributes:
        lines: of the page.
        broken: the promises that were not kept.
    """

    lines: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    def table(self, *columns: str) -> None:
        """Begins a table."""
        self.lines += ["", f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]

    def row(self, *cells: object) -> None:
        """Adds a row."""
        self.lines.append(f"| {' | '.join(_text(cell) for cell in cells)} |")

    def promise(self, what: str, kept: bool, measured: str) -> None:
        """Adds a promise and what was measured of it."""
        self.row(what, measured, "yes" if kept else "**no**")
        if not kept:
            self.broken.append(what)


def _text(cell: object) -> str:
    return f"{cell:,.1f}" if isinstance(cell, float) else str(cell)


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
    bench.page.table("clip", "callers", "calls/s", "p50 ms", "p90 ms", "p99 ms", "not OK", "bare p50 ms", "p50 / bare")
    best = 0.0
    for name, message in bench.messages.items():
        for callers in (1, 8, 64):
            load = Load(CLASSIFY, message, callers)
            base, measured = send(bare, load, bench.seconds / 3), send(bench.address, load, bench.seconds)
            _row(bench.page, name, str(callers), measured, base)
            best = max(best, measured.rate if name == "1.3 MB" else 0.0)
    return best


def recommending(bench: Bench, bare: str) -> None:
    """Callers that wait for recommendations, by a track of the catalogue and by a clip."""
    seeds = {
        "a track's id": recommend_message(bench.data / "track"),
        "1.3 MB": recommend_by_clip(bench.data / "clip"),
    }
    bench.page.table("seed", "callers", "calls/s", "p50 ms", "p90 ms", "p99 ms", "not OK", "bare p50 ms", "p50 / bare")
    for name, message in seeds.items():
        for callers in (1, 8):
            load = Load(RECOMMEND, message, callers)
            base, measured = send(bare, load, bench.seconds / 3), send(bench.address, load, bench.seconds)
            _row(bench.page, name, str(callers), measured, base)


def _row(page: Page, name: str, how: str, measured: Measured, base: Measured) -> None:
    latencies = [measured.latency(percent) for percent in (50, 90, 99)]
    ratio = measured.latency(50) / base.latency(50)
    wrong = len(measured.refused) + sum(measured.failed.values())
    page.row(name, how, measured.rate, *latencies, wrong, base.latency(50), ratio)


def open_loop(bench: Bench, capacity: float) -> Measured:
    """Calls that come whether or not earlier ones were answered; answers what came of half the capacity."""
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
    return half


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
        bench.address, Load(RECOMMEND, recommend_message(bench.data / "seed"), rate=20), _AWAY_SECONDS + 8
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


def snapshot_swaps(bench: Bench, half: Measured, capacity: float) -> None:
    """Publishes snapshots one after the other under half load."""
    running = begin(bench.address, Load(CLASSIFY, bench.messages["1.3 MB"], rate=capacity / 2), bench.seconds)
    swaps = 0
    while running.poll() is None and swaps < 5:
        add_tracks(bench.data, bench.redis.url, bench.manifest, _TRACKS + 100 * swaps, 100)
        swaps += 1
        time.sleep(bench.seconds / 10)
    measured = end(running)
    ratio = measured.latency(99) / half.latency(99)
    wrong = len(measured.refused) + sum(measured.failed.values())
    bench.page.table(f"{swaps} snapshots swapped in under half load", "measured", "kept")
    bench.page.promise("no call fails", wrong == 0, f"{len(measured.latencies)} calls, {wrong} failed")
    bench.page.promise("p99 is at most 2 times the quiet p99", ratio <= 2, f"{ratio:.2f}")


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
        cores=os.cpu_count(),
        load=f"{os.getloadavg()[0]:.1f}",
        network=DEFAULT_MODEL,
        kind=kind(),
        tracks=f"{_TRACKS:,}",
        seconds=f"{seconds:g}",
        queue=_QUEUE_SECONDS,
    )


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
            half = open_loop(bench, capacity)
            snapshot_swaps(bench, half, capacity)
            redis_away(bench)
        rolling_restart(page, folder, redis)
    finally:
        redis.stop()


@click.command()
@click.option("--seconds", type=click.FloatRange(1), default=15.0, show_default=True, help="How long each load lasts.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), default=ROOT / "docs" / "load.md")
def main(seconds: float, file: Path) -> None:
    """Measures, and writes FILE."""
    page = Page(head(seconds).split("\n"))
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "redis").mkdir()
        measure(page, Path(folder), seconds)
    file.write_text("\n".join(page.lines) + "\n", encoding="utf-8")
    click.echo(file.read_text(encoding="utf-8"))
    sys.exit(1 if page.broken else 0)


if __name__ == "__main__":
    main()
