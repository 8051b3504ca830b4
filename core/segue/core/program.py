"""The root of every command line of Segue: a click group that needs no standard streams."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import click

# 128 + SIGPIPE: the code of other programs whose reader ends, such as head.
_PIPE_CLOSED = 141


class Program(click.Group):
    """A group of commands that also works where it is started with closed standard streams.

    If the reader of its output ends, it ends silently with exit code 141. At SIGTERM it stops what it has started and
    removes its temporary files, unless the command does something else; the exit code is then 143.
    """

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's own signature
        """Runs a command."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            _discard_stdout()
            ctx.exit(_PIPE_CLOSED)

    def main(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - click's own signature
        """Runs the command line."""
        open_closed_streams()
        with _exiting_at_sigterm():
            return super().main(*args, **kwargs)


def _discard_stdout() -> None:
    """Sends standard output to the null device, since Python would write the rest at its exit and fail again."""
    with Path(os.devnull).open("wb") as null:
        os.dup2(null.fileno(), sys.stdout.fileno())


@contextmanager
def _exiting_at_sigterm() -> Iterator[None]:
    """Turns SIGTERM into SystemExit, unless the program runs in another thread or handles the signal already."""
    is_free = threading.current_thread() is threading.main_thread()
    if is_free and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _exit)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGTERM) is _exit:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _exit(number: int, _frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a second one ends the program at once
    sys.exit(128 + number)


def open_closed_streams() -> None:
    """Connects each standard stream that is closed to the null device.

    The next file or socket that the program opens would get its number, and what libraries print would go there.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free, which is this one
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))
