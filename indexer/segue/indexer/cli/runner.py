"""Runs the work of a command with progress, until it ends or is interrupted, and reports the result."""

from __future__ import annotations

from collections.abc import Callable

import click

from segue.core.errors import SegueError
from segue.core.quantities import quantity
from segue.indexer.cli.report import print_report, progress
from segue.indexer.interrupt import Interrupt
from segue.indexer.pipeline.run_counts import RunCounts, Show
from segue.indexer.settings import OutputOptions

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
        return int(counts.exceeds(output.allow_failures))
    click.echo(
        f"Stopped after {counts.done:,} of {quantity(total, 'file')}. Finished work is kept: run the same command "
        "again to continue.",
        err=True,
    )
    return 128 + interrupt.signal
