"""The documents say what the programs do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import segue.client.cli
import segue.indexer.cli
import segue.server.cli
import segue.trainer.cli
from segue.core import errors
from segue.server.status import to_status

ROOT = Path(__file__).parents[2]
PROGRAMS = {
    "segue": segue.client.cli.main,
    "segue-server": segue.server.cli.main,
    "segue-indexer": segue.indexer.cli.main,
    "segue-trainer": segue.trainer.cli.main,
}


def commands(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    """A command and all under it, by what one types."""
    yield name, command
    if isinstance(command, click.Group):
        for part, below in command.commands.items():
            yield from commands(f"{name} {part}", below)


def section(program: str) -> str:
    """What docs/options.md says of one program."""
    text = (ROOT / "docs" / "options.md").read_text(encoding="utf-8")
    return text.partition(f"\n## {program}\n")[2].partition("\n## ")[0]


ALL = [pytest.param(*pair, id=pair[0]) for name, main in PROGRAMS.items() for pair in commands(name, main)]


@pytest.mark.parametrize(("typed", "command"), ALL)
def test_every_option_is_documented(typed: str, command: click.Command) -> None:
    """Each command, option and environment variable stands in the program's part of docs/options.md."""
    text = section(typed.split(maxsplit=1)[0])
    words = [typed] if " " in typed else []  # a program stands in the heading
    options = [option for option in command.params if isinstance(option, click.Option)]
    names = [name for option in options for name in option.opts]
    variables = [str(option.envvar) for option in options if option.envvar]
    assert [] == [name for name in (*words, *names, *variables) if not re.search(rf"`{name}(?![\w-])", text)]


def test_every_reason_is_documented() -> None:
    """Each reason that a caller can meet stands in the README."""
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.SegueError)]
    reasons = {kind.reason for kind in kinds if to_status(made(kind), "id")[0].name != "INTERNAL"}
    text = (ROOT / "README.md").read_text()
    assert [] == sorted(reason for reason in reasons if f"`{reason}`" not in text)


def made(kind: type[errors.SegueError]) -> errors.SegueError:
    """An error of a kind."""
    return kind("field", "text") if kind is errors.MalformedRequest else kind("text")


def test_every_decision_is_listed() -> None:
    """The index of decisions names each page."""
    index = (ROOT / "docs" / "adr" / "README.md").read_text()
    assert [] == [page.name for page in (ROOT / "docs" / "adr").glob("0*.md") if page.name not in index]
