from __future__ import annotations

import io

import pytest
from rich.console import Console

from segue.trainer.console import dropped, figures_table, note


def test_names_of_files_are_printed_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    """What looks like markup or a named emoji is neither."""
    dropped({"[/x].wav": "[bold]no sound[/bold]", ":heart:.wav": "is silent"})
    assert "left out [/x].wav: [bold]no sound[/bold]\nleft out :heart:.wav: is silent\n" == capsys.readouterr().err


def test_names_of_files_do_not_move_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    """Escapes and line ends in a name are replaced, and a bare byte does not end the run."""
    dropped({"a\x1b[2J\n\udcff.wav": "is silent"})
    assert "left out a\ufffd[2J\ufffd\ufffd.wav: is silent\n" == capsys.readouterr().err


def test_a_note_keeps_its_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """Only the ends of lines that a note was written with are kept."""
    note("one\ntwo\x07")
    assert "one\ntwo\ufffd\n" == capsys.readouterr().err


def test_the_title_of_a_table_is_no_markup() -> None:
    """A network may be called anything."""
    console = Console(file=io.StringIO(), width=80)
    console.print(figures_table({"accuracy": 0.5}, "[/x]-1a2b\nall"))
    assert isinstance(console.file, io.StringIO)
    assert "[/x]-1a2b" in console.file.getvalue()
