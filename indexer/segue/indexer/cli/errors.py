"""The one place where errors end ``segue-indexer`` with a message and an exit code."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import click

from segue.core.errors import SegueError
from segue.indexer.pipeline.run_counts import RunCounts
from segue.indexer.settings import OutputOptions


@contextmanager
def reporting_errors(output: OutputOptions, dry_run: bool = False, *, in_one_line: bool = False) -> Iterator[RunCounts]:
    """Reports an error of the block as a sentence, as the JSON document if one is due, and as an exit code.

    Args:
        output: form of the output.
        dry_run: the counts are those of a dry run.
        in_one_line: print the JSON document in one line.

    Yields:
        The counts for the JSON document.
    """
    counts = RunCounts(dry_run=dry_run, indexed=[] if output.as_json else None)
    indent = None if in_one_line else 2
    try:
        yield counts
    except BrokenPipeError:
        raise  # the reader of the output is gone, which Program reports by the exit code
    except (SegueError, OSError) as error:
        click.echo(f"segue-indexer: {error}", err=True)
        _report(counts, output, getattr(error, "reason", "SYSTEM"), str(error), indent)
        sys.exit(1)
    except KeyboardInterrupt:
        message = "Stopped at once. Committed work is kept: run the same command again to continue."
        click.echo(message, err=True)
        _report(counts, output, "STOPPED", message, indent)
        sys.exit(130)


def _report(counts: RunCounts, output: OutputOptions, reason: str, message: str, indent: int | None) -> None:
    if output.as_json:
        counts.error = {"reason": reason, "message": message}
        with suppress(OSError):  # the error may be that of the output
            click.echo(json.dumps(counts.to_dict(), indent=indent))
