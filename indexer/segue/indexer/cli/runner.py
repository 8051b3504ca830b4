"""A run, from the command line's side: progress, Ctrl-C, the report, what went wrong, and the exit code."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

import click

from segue.core.errors import SegueError
from segue.indexer.cli.report import Show, finish, progress
from segue.indexer.interrupt import Interrupt
from segue.indexer.pipeline.run_counts import Tally
from segue.indexer.settings import Manner

Work = Callable[[Tally, Interrupt, Show], None]


def carry_out(work: Work, total: int, manner: Manner, tally: Tally) -> int:
    """Does the work, shows how far it is, and reports.

    Args:
        work: takes the tally that it fills, the wish to stop, and what to call when the tally has changed.
        total: how many files it will deal with.
        manner: how it speaks.
        tally: counts what is done.

    Returns:
        The exit code.

    Raises:
        SegueError: as ``work`` does; what was done by then is reported.
    """
    with Interrupt() as interrupt:
        try:
            with progress(total, manner) as show:
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


@contextmanager
def told(as_json: bool, dry_run: bool = False) -> Iterator[Tally]:
    """Turns what goes wrong inside into a sentence, the document that was asked for, and an exit code.

    The value is the tally that the document is made of.
    """
    tally = Tally(dry_run=dry_run)
    try:
        yield tally
    except (SegueError, OSError) as error:
        click.echo(f"segue-indexer: {error}", err=True)
        _end(tally, as_json, getattr(error, "reason", "SYSTEM"), str(error), 1)
    except KeyboardInterrupt:
        message = "Stopped at once. What was committed is kept: run the same command again to go on."
        click.echo(message, err=True)
        _end(tally, as_json, "STOPPED", message, 130)


def _end(tally: Tally, as_json: bool, reason: str, message: str, code: int) -> NoReturn:
    if as_json:
        tally.error = {"reason": reason, "message": message}
        click.echo(json.dumps(tally.to_dict(), indent=2))
    sys.exit(code)
