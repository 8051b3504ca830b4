"""Output of the commands of ``segue-server``: text, or one JSON document."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import click

from segue.server.cli.model_list import ListedModel
from segue.server.preflight.check_result import CheckResult

_NO_FIGURE = "-"
_COST = "cost: processor time for a clip of 30 s, in units of the time of librosa's log-mel"
_COLUMNS = ("model", "id", "clips", "accuracy", "P@10", "cost", "size", "folder")


def print_json(document: dict[str, Any]) -> None:
    """Prints a document on the standard output."""
    click.echo(json.dumps(document, indent=2))


def print_checks(results: Iterator[CheckResult]) -> bool:
    """Prints each result as soon as it is there, since some checks take seconds; returns True if none failed."""
    passed = True
    for result in results:
        click.echo(f"{result.level:4}  {result.what}: {result.text}")
        if result.advice:
            click.echo(f"      -> {result.advice}")
        passed = passed and result.level != "fail"
    return passed


def print_checks_as_json(results: Iterator[CheckResult]) -> bool:
    """Prints all results as one document; returns True if none failed."""
    finished = list(results)
    print_json({"checks": [asdict(result) for result in finished]})
    return all(result.level != "fail" for result in finished)


def print_models(listed: Sequence[ListedModel]) -> None:
    """Prints a table of models, and why those without figures cannot be used."""
    from rich.console import Console  # noqa: PLC0415 - so that --help is quick
    from rich.table import Table  # noqa: PLC0415 - likewise

    table = Table(box=None)
    for column in _COLUMNS:
        table.add_column(column, no_wrap=True)
    for model in listed:
        table.add_row(*_row(model))
    # A line may be longer than the terminal, so that a folder can be copied.
    console = Console(width=100 + max((len(model.folder) for model in listed), default=0))
    with console.capture() as text:  # printing would end the program if the reader of the output is gone
        console.print(table)
        console.print(_COST, markup=False, highlight=False, soft_wrap=True)
        for model in listed:
            if model.problem:
                console.print(model.problem, markup=False, highlight=False, soft_wrap=True)
    click.echo(text.get(), nl=False)


def _row(model: ListedModel) -> tuple[str, ...]:
    figures = [_figure(value) for value in (model.accuracy, model.precision_at_10, model.cost)]
    clips = str(model.clips or _NO_FIGURE)
    return (model.name, model.model_id, clips, *figures, f"{model.bytes / 1e6:.1f} MB", model.folder)


def _figure(value: float | None) -> str:
    return _NO_FIGURE if value is None else f"{value:.3f}"
