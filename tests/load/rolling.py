"""Restarts two servers behind a balancer, one after the other, under load: ``python -m tests.load.rolling``.

Callers with the client's own retries, and no others, send clips of 5.3 MB without pause. Each server in turn has to
stop with exit code 0 and is started again; once its health is SERVING, the other one follows. Exits with 1 if a call
failed or a server ended with another code.
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
class RollingResult:
    """The result of rolling restarts.

    Attributes:
        calls: number of calls.
        errors: the errors of the calls that failed.
        codes: the exit code of each stop of a server.
    """

    calls: int
    errors: list[str]
    codes: list[int]

    @property
    def succeeded(self) -> bool:
        """True if no call failed and every exit code is 0."""
        return not self.errors and not any(self.codes)

    @property
    def summary(self) -> str:
        """The numbers of calls, failures and restarts, as text."""
        return f"{self.calls} calls, {len(self.errors)} failed, {len(self.codes)} restarts"


def restart_each(behind: Balanced, callers: Callers, calls_between: int) -> list[int]:
    """Restarts every server, one after the other, and returns their exit codes."""
    codes = []
    for server in behind.servers:
        callers.wait_for(calls_between)
        codes.append(server.stop())
        callers.wait_for(calls_between)
        server.start()
        server.wait_until_serving()
    callers.wait_for(calls_between)
    return codes


def measure(folder: Path, redis: Redis, rounds: int, count: int) -> RollingResult:
    """Restarts servers with the shipped model under load, over a catalogue that exists.

    Args:
        folder: the servers' data folder.
        redis: the catalogue.
        rounds: number of restarts of each server.
        count: number of callers.
    """
    new_secrets(folder / "secrets")
    clip = large_clip(folder / "clip.wav")
    with balanced(folder, folder / "secrets", "--data", folder, "--redis", redis.url) as behind:
        with calling(behind.address, clip, behind.credentials, count) as callers:
            codes = [code for _ in range(rounds) for code in restart_each(behind, callers, 5 * count)]
        return RollingResult(callers.succeeded + len(callers.errors), callers.errors, codes)


@click.command()
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True, help="Number of restarts of each.")
@click.option("--callers", type=click.IntRange(1), default=4, show_default=True, help="Number of processes that call.")
def main(rounds: int, callers: int) -> None:
    """Restarts two servers behind a balancer under load, and prints the number of calls that failed."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "redis").mkdir()
        redis = Redis(Path(folder) / "redis")
        try:
            add_tracks(Path(folder), redis.url, read_manifest(default_model()), 0, _TRACKS)
            result = measure(Path(folder), redis, rounds, callers)
        finally:
            redis.stop()
    click.echo(result.summary)
    for line in [*result.errors[:5], *(f"a server ended with {code}" for code in result.codes if code)]:
        click.echo(line)
    sys.exit(0 if result.succeeded else 1)


if __name__ == "__main__":
    main()
