"""Writes the short table of the comparison into a page that has other content, too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from segue.trainer.comparison.results_page import PAPER, UNMEASURED, Section, claim_line, format_estimate
from segue.trainer.comparison.rows import Row
from segue.trainer.errors import DataUnusable
from segue.trainer.networks.paper import CNN, CNN_LSTM
from segue.trainer.outputs import write_text
from segue.trainer.reporting.report import table

BEGIN, END = "<!-- results: written by segue-trainer compare -->", "<!-- end of results -->"
_HEAD = ("network", "split", "accuracy", "log-loss", "P@5", "P@10", "embedding")
_MEASURES = ("accuracy", "log_loss", "precision_at_5", "precision_at_10")


def write_summary(page: Path, sections: Sequence[Section]) -> None:
    """Writes the short table and the paper's claims between the two marks of a page.

    Raises:
        DataUnusable: the page cannot be read, or lacks the marks.
    """
    before, after = split_at_marks(page)
    lines = "\n".join([BEGIN, "", *summary_lines(sections), "", END])
    write_text(page, f"{before}{lines}{after}")


def split_at_marks(page: Path) -> tuple[str, str]:
    """Returns the text before the first mark of a page and after its second one.

    Raises:
        DataUnusable: the page cannot be read, or lacks the marks.
    """
    try:
        text = page.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataUnusable(f"{page} cannot be read: {error}. Name a page of Markdown by --readme.") from error
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise DataUnusable(f"{page} has no place for the results. Add the lines {BEGIN} and {END} to it.")
    return before, after


def summary_lines(sections: Sequence[Section]) -> list[str]:
    """Writes the short table and the paper's claims as Markdown, line by line."""
    paper = [(f"the paper's {name.split(',')[0]}", "not stated", *figures, "", "", "") for name, *figures in PAPER]
    rows = [row for section in sections for row in _rows(section)]
    measures = ("accuracy", "precision_at_10")
    claims = [claim_line(section, CNN_LSTM, CNN, measure) for section in sections for measure in measures]
    return [*table(_HEAD, [*paper, *rows]), "", *claims]


def _rows(section: Section) -> Iterator[tuple[str, ...]]:
    measured = {row.name: row for row in section.rows}
    for name in dict.fromkeys(run.network for run in section.planned):
        yield _row(name, measured.get(name), section.label)
    for row in section.baselines:
        yield _row(row.name, row, section.label)
    chance = [f"{section.chance[name]:.3f}" for name in ("accuracy", "log_loss", "precision", "precision")]
    yield ("chance", section.label, *chance, "")


def _row(name: str, row: Row | None, label: str) -> tuple[str, ...]:
    if row is None:
        return (name, label, *[UNMEASURED] * len(_MEASURES), "")
    split = f"{label}, {len(row.seeds)} seed{'s' * (len(row.seeds) > 1)}" if row.seeds else label
    return (name, split, *(format_estimate(row.estimate(measure)) for measure in _MEASURES), row.embedding)
