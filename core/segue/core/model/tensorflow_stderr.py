"""Keeps what TensorFlow tells about itself at its start off the terminal."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

# What it says of the processor it runs on. TF_CPP_MIN_LOG_LEVEL does not reach these lines: they are written before its
# log is set up (github.com/tensorflow/tensorflow/issues/100442).
_CHATTER = re.compile(
    rb"WARNING: All log messages before absl::"
    rb"|[IW]0000 "
    rb"|\d{4}-\d\d-\d\d [\d:.]+: [IW] "
    rb"|To enable the following instructions"
)


# The true stderr, and what is held of what was to come out on it; the innermost last.
_silences: list[tuple[int, BinaryIO]] = []


@contextmanager
def silenced_tensorflow() -> Iterator[None]:
    """While entered, nothing comes out on the process's stderr; at the end all of it does, but for the chatter."""
    sys.stderr.flush()
    with tempfile.TemporaryFile() as held:
        silence = os.dup(2), held
        _silences.append(silence)
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            if silence in _silences:
                _end(silence)


def end_silence() -> None:
    """Ends every ``silenced_tensorflow``, for a program that leaves while another thread is in one."""
    for silence in reversed(_silences[:]):
        _end(silence)


def _end(silence: tuple[int, BinaryIO]) -> None:
    _silences.remove(silence)
    stderr, held = silence
    sys.stderr.flush()
    os.dup2(stderr, 2)
    os.close(stderr)
    _let_out(held)


def _let_out(held: BinaryIO) -> None:
    held.seek(0)
    for line in held:
        if not _CHATTER.match(line):
            os.write(2, line)
