"""The one place where errors end `segue` with a message and an exit code."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from segue.client.cli.options import SharedOptions
from segue.client.errors import SegueError

_INTERRUPTED = 130
# 128 + SIGPIPE: the code of other programs whose reader ends, such as head.
_PIPE_CLOSED = 141


class ErrorReportingGroup(click.Group):
    """A group of commands that reports errors in one sentence and by the exit code, without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's own signature
        """Runs a command and handles its errors."""
        try:
            return super().invoke(ctx)
        except SegueError as error:
            ctx.ensure_object(SharedOptions).make_output().error(error)
            ctx.exit(1)
        except KeyboardInterrupt:
            ctx.exit(_INTERRUPTED)
        except BrokenPipeError:
            _discard_stdout()
            ctx.exit(_PIPE_CLOSED)
        except OSError as error:
            _discard_stdout()
            raise click.ClickException(f"The output cannot be written: {error.strerror or error}.") from error


def _discard_stdout() -> None:
    """Sends standard output to the null device, since Python would write the rest at its exit and fail again."""
    with Path(os.devnull).open("wb") as null:
        os.dup2(null.fileno(), sys.stdout.fileno())
