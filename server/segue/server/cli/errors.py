"""The one place where errors end the program with a message and an exit code."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from segue.core.errors import SegueError
from segue.core.program import Program

_log = logging.getLogger(__name__)


class ErrorReportingGroup(Program):
    """A group whose commands end with exit code 1 and a message at an error, and with 130 after Ctrl-C."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's own signature
        """Runs the command."""
        with reporting_errors():
            return super().invoke(ctx)


@contextmanager
def reporting_errors() -> Iterator[None]:
    """Ends the program at an error that is raised in the block."""
    try:
        yield
    except BrokenPipeError:
        raise  # the reader of the output is gone, which Program reports by the exit code
    except (SegueError, OSError) as error:
        _report(str(error))
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _report(message: str) -> None:
    if logging.getLogger().handlers:
        _log.error("%s", message)
    else:
        click.echo(f"segue-server: {message}", err=True)
