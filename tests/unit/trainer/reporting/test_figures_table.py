from __future__ import annotations

import io

from rich.console import Console

from segue.trainer.reporting.figures_table import figures_table


def printed(figures: dict[str, float | None], title: str) -> str:
    """The text of a table of figures."""
    console = Console(file=io.StringIO(), width=80)
    console.print(figures_table(figures, title))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_title_of_a_table_is_not_markup() -> None:
    """A network may have any name."""
    assert "[/x]-1a2b" in printed({"accuracy": 0.5}, "[/x]-1a2b\nall")


def test_a_figure_that_needs_more_tracks_has_no_number() -> None:
    """The table says why, instead of leaving the figure out."""
    (row,) = [line for line in printed({"precision_at_10": None}, "net").splitlines() if "precision at 10" in line]
    assert "not measured" in row
