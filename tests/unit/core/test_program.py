from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_TRAINER = """
import click
from segue.trainer.cli.errors import ErrorReportingGroup

program = ErrorReportingGroup("trainer")
program.command("say")(lambda: click.echo("text"))
program(["say"])
"""


@pytest.mark.parametrize(
    "command",
    [["-m", "segue.indexer", "status"], ["-m", "segue.server", "models"], ["-c", _TRAINER]],
    ids=["indexer", "server", "trainer"],
)
def test_a_closed_pipe(tmp_path: Path, command: list[str]) -> None:
    """A pipe that its reader closes causes no message, and the exit code of a program that SIGPIPE ends."""
    options = ["--data", str(tmp_path)] if "status" in command else []
    with subprocess.Popen(
        [sys.executable, *command, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout is not None
        assert program.stderr is not None
        program.stdout.close()
        assert ("", 141) == (program.stderr.read(), program.wait())
