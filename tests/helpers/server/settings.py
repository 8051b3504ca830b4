"""The settings that a command line makes."""

from __future__ import annotations

import click
from click.testing import CliRunner

from segue.server.cli.options import server_options
from segue.server.settings import Settings


def parsed_settings(*arguments: str) -> Settings:
    """The settings that the command line of the server makes of some arguments."""
    parsed: list[Settings] = []

    @click.command()
    @server_options
    def keep(**values: object) -> None:
        parsed.append(Settings(**values))  # type: ignore[arg-type] # it accepts all of them, and no other

    ended = CliRunner().invoke(keep, arguments)
    assert 0 == ended.exit_code, ended.output
    return parsed[0]
