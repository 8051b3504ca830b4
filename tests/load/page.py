"""The page that reports a load test: docs/load.md."""

from __future__ import annotations

import os
import platform
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from segue.core.paths import DEFAULT_MODEL
from tests.load.music import CLIPS, kind

_HEAD = """# The server under load

`python -m tests.load.run` on {day}, Python {python}, {system}. ghz, the server and all other processes
shared one machine, {machine}, with a load of {load} before the test.

The model is {model}. The clips are {clips} {kind} ones of 30 s as WAV, sent in turn over up to 8 connections. The
catalogue has {tracks} tracks. A load lasts {seconds} s, and the queue holds {queue} s of audio. The bare service
receives the same bytes by gRPC and does nothing with them.

Snapshots are built before the load that they are swapped in under. Building one takes processor time from the calls; in
production, the indexer has cores of its own or a lower priority (`segue-indexer --nice`)."""


@dataclass
class Page:
    """The lines of the page, and the promises that were broken.

    Attributes:
        lines: the text in Markdown.
        broken: the promises that the measurements did not keep.
    """

    lines: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    def table(self, *columns: str) -> None:
        """Begins a table."""
        self.lines += ["", f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]

    def row(self, *cells: object) -> None:
        """Adds a row."""
        self.lines.append(f"| {' | '.join(_text(cell) for cell in cells)} |")

    def promise(self, text: str, kept: bool, measured: str) -> None:
        """Adds a promise with its measurement."""
        self.row(text, measured, "yes" if kept else "**no**")
        if not kept:
            self.broken.append(text)


def _text(cell: object) -> str:
    return f"{cell:,.1f}" if isinstance(cell, float) else str(cell)


def head(seconds: float, tracks: int, queue_seconds: int) -> list[str]:
    """Returns the lines that describe the test, its inputs and its machine."""
    text = _HEAD.format(
        day=f"{datetime.now(UTC):%Y-%m-%d}",
        python=platform.python_version(),
        system=f"{platform.system()} on {platform.machine()}",
        machine=_machine(),
        load=f"{os.getloadavg()[0]:.1f}",
        model=DEFAULT_MODEL,
        clips=CLIPS,
        kind=kind(),
        tracks=f"{tracks:,}",
        seconds=f"{seconds:g}",
        queue=queue_seconds,
    )
    return text.split("\n")


def _machine() -> str:
    """Returns the machine's processor and memory."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    processors = Path("/proc/cpuinfo")  # Linux only
    names = re.findall(r"^model name\s*: (.*)$", processors.read_text() if processors.exists() else "", re.MULTILINE)
    return f"{os.cpu_count()} cores of {names[0] if names else 'an unknown processor'} with {memory:.0f} GiB"
