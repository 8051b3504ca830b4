"""The one place where errors and signals end ``segue-trainer`` with a message and an exit code."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

import click

from segue.core.errors import SegueError
from segue.core.program import Program


class ErrorReportingGroup(Program):
    """A group whose commands end with exit code 1 and a message at an error, and with 128 + n after a signal n."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's own signature
        """Runs a command."""
        # TensorFlow raises what it logs as an error, too; the rest are notes on its own data pipeline.
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        # In Python, it warns of a function that is traced again, as that of each network of a cross-validation is.
        logging.getLogger("tensorflow").setLevel(logging.ERROR)
        with reporting_errors():
            return super().invoke(ctx)


@contextmanager
def reporting_errors() -> Iterator[None]:
    """Turns an error into one sentence on standard error and exit code 1, and a signal into 128 plus its number."""
    previous = signal.signal(signal.SIGTERM, _raise_terminated)
    try:
        yield
    except BrokenPipeError:
        raise  # the reader of the output is gone, which Program reports by the exit code
    except (SegueError, OSError) as error:
        from segue.trainer.console import notify  # noqa: PLC0415 - needs the extra, and --help does without

        notify(f"segue-trainer: {error}")
        sys.exit(1)
    except Terminated:
        _exit_at_once(128 + signal.SIGTERM)
    except KeyboardInterrupt:
        _exit_at_once(128 + signal.SIGINT)
    finally:
        signal.signal(signal.SIGTERM, previous)


class Terminated(KeyboardInterrupt):
    """SIGTERM was received; it interrupts a run as Ctrl-C does."""


def _raise_terminated(_number: int, _frame: FrameType | None) -> NoReturn:
    raise Terminated


def _exit_at_once(code: int) -> NoReturn:
    """Ends the process without finalizing Python, since TensorFlow's threads may still call it and would abort."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
