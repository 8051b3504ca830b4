from __future__ import annotations

import pytest

from segue.trainer.console import notify, notify_dropped


def test_names_of_files_are_printed_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    """Brackets and colons in a name are not read as markup or as the name of an emoji."""
    notify_dropped({"[/x].wav": "[bold]no sound[/bold]", ":heart:.wav": "is silent"})
    assert "left out [/x].wav: [bold]no sound[/bold]\nleft out :heart:.wav: is silent\n" == capsys.readouterr().err


def test_names_of_files_do_not_move_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    """Escapes and line ends in a name are replaced, and a byte that is not UTF-8 does not end the run."""
    notify_dropped({"a\x1b[2J\n\udcff.wav": "is silent"})
    assert "left out a\ufffd[2J\ufffd\ufffd.wav: is silent\n" == capsys.readouterr().err


def test_a_message_keeps_its_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """The line ends of a message are kept, and its other control characters are replaced."""
    notify("one\ntwo\x07")
    assert "one\ntwo\ufffd\n" == capsys.readouterr().err
