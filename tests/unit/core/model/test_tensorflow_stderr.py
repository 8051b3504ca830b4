from __future__ import annotations

import os

import pytest

from segue.core.model.tensorflow_stderr import end_silence, silenced_tensorflow


def test_startup_messages_are_dropped(capfd: pytest.CaptureFixture[str]) -> None:
    """Messages of TensorFlow about the processor are dropped; all others are written at the end."""
    with silenced_tensorflow():
        os.write(2, b"WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n")
        os.write(2, b"I0000 00:00:1795345880.891999   12563 port.cc:153] oneDNN custom operations are on.\n")
        os.write(2, b"out of memory\n")

    assert "out of memory\n" == capfd.readouterr().err


def test_an_error_ends_the_silence(capfd: pytest.CaptureFixture[str]) -> None:
    """Messages before an exception are written, and stderr works again."""
    with pytest.raises(ValueError, match="no"):
        write_and_fail()
    os.write(2, b"later\n")

    assert "a message\nlater\n" == capfd.readouterr().err


def test_a_program_that_exits_meanwhile(capfd: pytest.CaptureFixture[str]) -> None:
    """A program that exits in the middle writes the messages held back, once, and its own after them."""
    with silenced_tensorflow():
        os.write(2, b"a message\n")
        end_silence()
        os.write(2, b"stopped\n")

    assert "a message\nstopped\n" == capfd.readouterr().err


def write_and_fail() -> None:
    """Writes a message to stderr, and fails."""
    with silenced_tensorflow():
        os.write(2, b"a message\n")
        raise ValueError("no")
