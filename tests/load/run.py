"""Puts a fresh server under load and writes a report: ``python -m tests.load.run [--seconds N] [FILE]``.

Every latency is compared to that of a bare service in the same run, which receives the same bytes and does nothing.
Exits with 1 if a promise is broken, or if ghz is missing and cannot be built.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import click

from segue.core.model.artifact import read_manifest
from segue.core.paths import default_model
from tests.load.bench import TRACKS, Bench
from tests.load.closed_loop import measure_classify, measure_recommend
from tests.load.disruptions import kill_redis, restart_servers, swap_snapshots
from tests.load.ghz import find_ghz
from tests.load.music import add_tracks, small_and_large
from tests.load.open_loop import measure_open_loop
from tests.load.page import Page, head
from tests.load.servers import Redis, bare_server, segue_server

ROOT = Path(__file__).parents[2]
# Twenty clips, so that twice the capacity fills the queue within the load, on a slow machine as well.
_QUEUE_SECONDS = 600


def measure(page: Page, folder: Path, seconds: float) -> None:
    """Runs every measurement on a fresh server."""
    manifest = read_manifest(default_model())
    redis = Redis(folder / "redis")
    try:
        add_tracks(folder, redis.url, manifest, 0, TRACKS)
        options = ("--queue-seconds", str(_QUEUE_SECONDS))
        with segue_server(folder, redis.url, *options) as (address, memory), bare_server() as bare:
            bench = Bench(page, folder, redis, manifest, small_and_large(folder), seconds, address, memory)
            capacity = measure_classify(bench, bare)
            measure_recommend(bench, bare)
            measure_open_loop(bench, capacity)
            swap_snapshots(bench, capacity)
            kill_redis(bench)
        restart_servers(page, folder, redis)
    finally:
        redis.stop()


@click.command()
@click.option("--seconds", type=click.FloatRange(1), default=15.0, show_default=True, help="Duration of each load.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), default=ROOT / "docs" / "load.md")
def main(seconds: float, file: Path) -> None:
    """Puts a server under load, and writes the report to FILE."""
    find_ghz()
    page = Page(head(seconds, TRACKS, _QUEUE_SECONDS))
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "redis").mkdir()
        measure(page, Path(folder), seconds)
    file.write_text("\n".join(page.lines) + "\n", encoding="utf-8")
    click.echo(file.read_text(encoding="utf-8"))
    sys.exit(1 if page.broken else 0)


if __name__ == "__main__":
    main()
