from __future__ import annotations

import os

import pytest

from segue.core.model.tensorflow_stderr import end_silence, silenced_tensorflow


def test_chatter_is_left_out_and_the_rest_comes_out(capfd: pytest.CaptureFixture[str]) -> None:
    """What TensorFlow says of its processor is dropped; a true complaint is only held back."""
    with silenced_tensorflow():
        os.write(2, b"WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n")
        os.write(2, b"I0000 00:00:1795345880.891999   12563 port.cc:153] oneDNN custom operations are on.\n")
        os.write(2, b"out of memory\n")

    assert "out of memory\n" == capfd.readouterr().err


def test_a_failure_gives_stderr_back(capfd: pytest.CaptureFixture[str]) -> None:
    """What was said before an exception comes out, and stderr works again."""
    with pytest.raises(ValueError, match="no"):
        fail_with_a_clue()
    os.write(2, b"later\n")

    assert "a clue\nlater\n" == capfd.readouterr().err


def test_who_leaves_in_the_middle(capfd: pytest.CaptureFixture[str]) -> None:
    """A program that leaves in the middle says its last words, and what was held before them, once."""
    with silenced_tensorflow():
        os.write(2, b"a clue\n")
        end_silence()
        os.write(2, b"stopped\n")

    assert "a clue\nstopped\n" == capfd.readouterr().err


def fail_with_a_clue() -> None:
    """Says something on stderr, and fails."""
    with silenced_tensorflow():
        os.write(2, b"a clue\n")
        raise ValueError("no")
