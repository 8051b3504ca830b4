"""Starts two servers behind a balancer anew, one after the other, under load: ``python -m tests.load.rolling``.

Callers with the client's own retries, and no others, send clips of 5.3 MB without pause. Each server in turn is told to
stop, must end in good order, and is started; when its health is SERVING it is the other's turn. Exits with 1 where a
call failed or a server did not end well.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import click

from segue.core.model.artifact import read_manifest
from segue.core.paths import default_model
from tests.load.balanced import Balanced, balanced, new_secrets
from tests.load.callers import Callers, calling
from tests.load.music import add_tracks, large_clip
from tests.load.servers import Redis

_TRACKS = 1_000


@dataclass
class Rolled:
    """What came of it.

    Attributes:
        calls: how many there were.
        failed: what was said of those that failed.
        codes: with which each server ended, each time.
    """

    calls: int
    failed: list[str]
    codes: list[int]

    @property
    def well(self) -> bool:
        """Whether nobody noticed anything."""
        return not self.failed and not any(self.codes)


def roll(behind: Balanced, callers: Callers, calls_between: int) -> list[int]:
    """Starts every server anew, one after the other; answers with which codes they ended."""
    codes = []
    for server in behind.servers:
        callers.wait_for(calls_between)
        codes.append(server.stop())
        callers.wait_for(calls_between)
        server.start()
        server.wait_until_serving()
    callers.wait_for(calls_between)
    return codes


def measure(folder: Path, redis: Redis, rounds: int, count: int) -> Rolled:
    """Does so ``rounds`` times with the network that ships, over a catalogue that is there, with so many callers."""
    new_secrets(folder / "secrets")
    clip = large_clip(folder / "clip.wav")
    with balanced(folder, folder / "secrets", "--data", folder, "--redis", redis.url) as behind:
        with calling(behind.address, clip, behind.credentials, count) as callers:
            codes = [code for _ in range(rounds) for code in roll(behind, callers, 5 * count)]
        return Rolled(callers.answered + len(callers.failed), callers.failed, codes)


@click.command()
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True, help="How often each is started anew.")
@click.option("--callers", type=click.IntRange(1), default=4, show_default=True, help="How many processes call.")
def main(rounds: int, callers: int) -> None:
    """Does so, and says what came of it."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "redis").mkdir()
        redis = Redis(Path(folder) / "redis")
        try:
            add_tracks(Path(folder), redis.url, read_manifest(default_model()), 0, _TRACKS)
            rolled = measure(Path(folder), redis, rounds, callers)
        finally:
            redis.stop()
    click.echo(f"{rolled.calls} calls, {len(rolled.failed)} failed, {len(rolled.codes)} restarts")
    for line in [*rolled.failed[:5], *(f"a server ended with {code}" for code in rolled.codes if code)]:
        click.echo(line)
    sys.exit(0 if rolled.well else 1)


if __name__ == "__main__":
    main()
