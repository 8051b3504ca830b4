"""A run over files, from the command line's side: progress, Ctrl-C, the report and the exit code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import click

from segue.core.errors import SegueError
from segue.indexer.interrupt import Interrupt
from segue.indexer.report import Show, finish, progress
from segue.indexer.tally import Tally

Work = Callable[[Tally, Interrupt, Show], None]


@dataclass(frozen=True)
class Manner:
    """How a run speaks, and what it puts up with.

    Attributes:
        as_json: the report is one document.
        quiet: it names nothing but what failed.
        allow_failures: so many files may fail.
    """

    as_json: bool
    quiet: bool
    allow_failures: int = 0


def carry_out(work: Work, total: int, manner: Manner) -> int:
    """Does the work, shows how far it is, and reports.

    Args:
        work: takes the tally that it fills, the wish to stop, and what to call when the tally has changed.
        total: how many files it will deal with.
        manner: how it speaks.

    Returns:
        The exit code.

    Raises:
        SegueError: as ``work`` does; what was done by then is reported.
    """
    tally = Tally()
    with Interrupt() as interrupt:
        try:
            with progress(total, manner.quiet) as show:
                work(tally, interrupt, show)
        except (SegueError, OSError):
            if tally.done and not manner.as_json:
                finish(tally, manner.as_json, manner.quiet)
            raise
        finish(tally, manner.as_json, manner.quiet)
    if interrupt.signal is None:
        return int(tally.failed > manner.allow_failures)
    click.echo(
        f"Stopped after {tally.done} of {total} files. What was done is kept: run the same command again to go on.",
        err=True,
    )
    return 128 + interrupt.signal
