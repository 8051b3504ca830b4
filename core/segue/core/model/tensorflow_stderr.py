"""Keeps the start-up messages of TensorFlow off the terminal."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

# Messages about the processor. TF_CPP_MIN_LOG_LEVEL does not affect them: TensorFlow writes them before it sets up its
# log (github.com/tensorflow/tensorflow/issues/100442).
_STARTUP_MESSAGE = re.compile(
    rb"WARNING: All log messages before absl::"
    rb"|[IW]0000 "
    rb"|\d{4}-\d\d-\d\d [\d:.]+: [IW] "
    rb"|To enable the following instructions"
)

# Each open silence, the innermost last: a descriptor of the real stderr, and the file that has taken its place.
_silences: list[tuple[int, BinaryIO]] = []


@contextmanager
def silenced_tensorflow() -> Iterator[None]:
    """Holds back the process's stderr during the block; then writes all of it but TensorFlow's start-up messages."""
    sys.stderr.flush()
    with tempfile.TemporaryFile() as buffer:
        silence = os.dup(2), buffer
        _silences.append(silence)
        os.dup2(buffer.fileno(), 2)
        try:
            yield
        finally:
            if silence in _silences:
                _end(silence)


def end_silence() -> None:
    """Ends every ``silenced_tensorflow`` block, for a program that exits while another thread is in one."""
    for silence in reversed(_silences[:]):
        _end(silence)


def _end(silence: tuple[int, BinaryIO]) -> None:
    _silences.remove(silence)
    stderr, buffer = silence
    sys.stderr.flush()
    os.dup2(stderr, 2)
    os.close(stderr)
    _write_messages(buffer)


def _write_messages(buffer: BinaryIO) -> None:
    buffer.seek(0)
    for line in buffer:
        if not _STARTUP_MESSAGE.match(line):
            os.write(2, line)
