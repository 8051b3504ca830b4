"""Runs a command: shows progress, handles Ctrl-C, reports the result and errors, and sets the exit code."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

import click

from segue.core.errors import SegueError
from segue.indexer.cli.report import print_report, progress
from segue.indexer.interrupt import Interrupt
from segue.indexer.pipeline.run_counts import RunCounts, Show
from segue.indexer.settings import OutputOptions
from segue.indexer.text import quantity

Work = Callable[[RunCounts, Interrupt, Show], None]


def run_with_progress(work: Work, total: int, output: OutputOptions, counts: RunCounts) -> int:
    """Runs the work of a command, shows its progress, and prints the report.

    Args:
        work: called with the counts, the interrupt to watch, and the function that shows changed counts.
        total: number of files that the work handles.
        output: form of the output.
        counts: counts that the work updates.

    Returns:
        The exit code.

    Raises:
        SegueError: as ``work`` does; the work done until then is reported.
    """
    with Interrupt() as interrupt:
        try:
            with progress(total, output) as show:
                work(counts, interrupt, show)
        except (SegueError, OSError):
            if counts.done and not output.as_json:
                print_report(counts, output)
            raise
        print_report(counts, output)
    if interrupt.signal is None:
        return int(counts.failed > output.allow_failures)
    click.echo(
        f"Stopped after {counts.done:,} of {quantity(total, 'file')}. Finished work is kept: run the same command "
        "again to continue.",
        err=True,
    )
    return 128 + interrupt.signal


@contextmanager
def reporting_errors(output: OutputOptions, dry_run: bool = False) -> Iterator[RunCounts]:
    """Reports an error of the block as a sentence, as the JSON document if one is due, and as an exit code.

    Yields:
        The counts for the JSON document.
    """
    counts = RunCounts(dry_run=dry_run)
    try:
        yield counts
    except (SegueError, OSError) as error:
        click.echo(f"segue-indexer: {error}", err=True)
        _exit(counts, output, getattr(error, "reason", "SYSTEM"), str(error), 1)
    except KeyboardInterrupt:
        message = "Stopped at once. Committed work is kept: run the same command again to continue."
        click.echo(message, err=True)
        _exit(counts, output, "STOPPED", message, 130)


def _exit(counts: RunCounts, output: OutputOptions, reason: str, message: str, code: int) -> NoReturn:
    if output.as_json:
        counts.error = {"reason": reason, "message": message}
        click.echo(json.dumps(counts.to_dict(), indent=2))
    sys.exit(code)
