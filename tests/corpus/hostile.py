"""Analyzes hostile inputs and watches what is opened: ``python -m tests.corpus.hostile [--count N] [--seed N]``.

Each input is damaged, a bomb, or names another file or address. One process analyzes all of them under strace, which
also follows ffmpeg. Exits with 1 if an input ends in anything but a result or a typed error, if a file or a socket is
opened that honest clips do not need, if memory grows by more than 20 MiB, or if a process or a descriptor is left.
Needs ffmpeg, SoX and strace on the PATH.
"""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

import click

from tests.corpus.hostile_inputs import write_clips
from tests.corpus.hostile_worker import CLIPS, CURRENT, INPUT, MARKER, SONG
from tests.corpus.recipes import RECIPES, Recipe

_ROOT = Path(__file__).parents[2]
_MAX_GROWTH_MIB = 20.0
_CALLS = "open,openat,openat2,creat,socket,connect,bind,execve,unlink,unlinkat,rename,mkdir"
_CALL = re.compile(r"(\w+)\((.*)")
_NUMBERS = re.compile(r"/proc/\d+/|/fd/\d+|task/\d+|\b\d+(?=/ns\b)")
# glibc reads it once, when it first returns memory of a thread to the system.
_READ_BY_MALLOC = "/proc/sys/vm/overcommit_memory"
_PATH = re.compile(r'"([^"]*)"')


@dataclass(frozen=True)
class Report:
    """The results of a run.

    Attributes:
        statuses: number of inputs by status: "ok" or a reason.
        slowest: seconds and name of the slowest input.
        growth_mib: growth of the resident memory after a tenth of the inputs.
        problems: a line for each problem.
    """

    statuses: dict[str, int]
    slowest: tuple[float, str]
    growth_mib: float
    problems: list[str]

    def all_problems(self) -> list[str]:
        """Returns the problems, with the growth of the memory if it is one."""
        grown = self.growth_mib > _MAX_GROWTH_MIB
        return [*self.problems, *[f"memory grew by {self.growth_mib} MiB"] * grown]


def run(count: int, seed: int, recipes: tuple[Recipe, ...] = RECIPES) -> Report:
    """Analyzes hostile inputs.

    Args:
        count: number of inputs.
        seed: seed of the inputs.
        recipes: formats of the clips that are damaged.
    """
    with tempfile.TemporaryDirectory() as scratch, closing(socket.create_server(("127.0.0.1", 0))) as server:
        folder, port = Path(scratch), server.getsockname()[1]
        _write_clips(folder, recipes)
        log = folder / "strace.log"
        worker = [sys.executable, "-m", "tests.corpus.hostile_worker", str(folder), str(count), str(seed), str(port)]
        strace = ["strace", "-f", "--seccomp-bpf", "-qq", "-s", "4096", "-e", f"trace={_CALLS}", "-o", str(log)]
        finished = subprocess.run([*strace, *worker], cwd=_ROOT, stdout=subprocess.PIPE, text=True, check=False)
        if finished.returncode:
            problem = f"{(folder / CURRENT).read_text()}: the process ended with {finished.returncode}"
            return Report({}, (0.0, ""), 0.0, [problem])
        report = Report(**json.loads(finished.stdout))
        report.problems.extend([*_unexpected_calls(log, folder), *_connections(server)])
        return report


def _write_clips(folder: Path, recipes: tuple[Recipe, ...]) -> None:
    (folder / CLIPS).mkdir()
    for name, clip in write_clips(recipes).items():
        (folder / CLIPS / name).write_bytes(clip)
    (folder / SONG).write_bytes((folder / CLIPS / name).read_bytes())


def _unexpected_calls(log: Path, folder: Path) -> list[str]:
    """Returns the system calls of the hostile inputs that neither the honest clips needed nor Python's modules."""
    with log.open(encoding="utf-8", errors="replace") as lines:
        expected = set(_calls(takewhile(lambda line: MARKER not in line, lines)))
        later = set(_calls(lines))
    own = {*(str(folder / name) for name in (INPUT, CURRENT)), _READ_BY_MALLOC}
    modules = tuple({sys.prefix, sys.base_prefix, str(_ROOT)})
    unexpected = {call for call in later if call not in expected and call.target not in own}
    if not any(call.name == "execve" and call.target.endswith("/ffmpeg") for call in later):
        return ["no ffmpeg was watched"]
    return [f"{call.name}: {call.target}" for call in sorted(unexpected) if not call.target.startswith(modules)]


class _Call(NamedTuple):
    name: str
    target: str


def _calls(lines: Iterable[str]) -> Iterator[_Call]:
    """Yields the calls with their path, or with all arguments if they have none; process ids are left out."""
    for line in lines:
        call = _CALL.search(line)
        if call:
            arguments = _NUMBERS.sub("/N/", call[2].replace(" <unfinished ...>", ")"))
            path = _PATH.search(arguments)
            yield _Call(call[1], path[1] if path else arguments.rpartition(")")[0])


def _connections(server: socket.socket) -> list[str]:
    server.setblocking(False)
    with suppress(BlockingIOError):
        server.accept()[0].close()
        return ["the port was connected to"]
    return []


@click.command(help=__doc__)
@click.option("--count", type=click.IntRange(min=1), default=10_000, show_default=True, help="Number of inputs.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the inputs.")
def main(count: int, seed: int) -> None:
    """Prints the results."""
    report = run(count, seed)
    problems = report.all_problems()
    for status, number in sorted(report.statuses.items()):
        click.echo(f"{status}: {number}")
    click.echo(f"slowest: {report.slowest[0]} s, {report.slowest[1]}")
    click.echo(f"memory grew by {report.growth_mib} MiB after the first tenth")
    click.echo("\n".join([f"problems: {len(problems)}", *problems]))
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
