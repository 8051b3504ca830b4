"""A run, from the command line's side: progress, Ctrl-C, the report, what went wrong, and the exit code."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

import click

from segue.core.errors import SegueError
from segue.indexer.cli.report import finish, progress
from segue.indexer.interrupt import Interrupt
from segue.indexer.pipeline.run_counts import RunCounts, Show
from segue.indexer.settings import OutputOptions

Work = Callable[[RunCounts, Interrupt, Show], None]


def run_with_progress(work: Work, total: int, output: OutputOptions, counts: RunCounts) -> int:
    """Does the work, shows how far it is, and reports.

    Args:
        work: takes the counts that it fills, the wish to stop, and what to call when the counts has changed.
        total: how many files it will deal with.
        output: how it speaks.
        counts: counts what is done.

    Returns:
        The exit code.

    Raises:
        SegueError: as ``work`` does; what was done by then is reported.
    """
    with Interrupt() as interrupt:
        try:
            with progress(total, output) as show:
                work(counts, interrupt, show)
        except (SegueError, OSError):
            if counts.done and not output.as_json:
                finish(counts, output.as_json, output.quiet)
            raise
        finish(counts, output.as_json, output.quiet)
    if interrupt.signal is None:
        return int(counts.failed > output.allow_failures)
    click.echo(
        f"Stopped after {counts.done} of {total} files. What was done is kept: run the same command again to go on.",
        err=True,
    )
    return 128 + interrupt.signal


@contextmanager
def reporting_errors(as_json: bool, dry_run: bool = False) -> Iterator[RunCounts]:
    """Turns what goes wrong inside into a sentence, the document that was asked for, and an exit code.

    The value is the counts that the document is made of.
    """
    counts = RunCounts(dry_run=dry_run)
    try:
        yield counts
    except (SegueError, OSError) as error:
        click.echo(f"segue-indexer: {error}", err=True)
        _end(counts, as_json, getattr(error, "reason", "SYSTEM"), str(error), 1)
    except KeyboardInterrupt:
        message = "Stopped at once. What was committed is kept: run the same command again to go on."
        click.echo(message, err=True)
        _end(counts, as_json, "STOPPED", message, 130)


def _end(counts: RunCounts, as_json: bool, reason: str, message: str, code: int) -> NoReturn:
    if as_json:
        counts.error = {"reason": reason, "message": message}
        click.echo(json.dumps(counts.to_dict(), indent=2))
    sys.exit(code)
