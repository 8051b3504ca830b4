"""The `segue` command."""

from __future__ import annotations

import io
import logging
import sys

import click

from segue.client.cli.commands.catalogue import search, status, track, tracks
from segue.client.cli.commands.classify import classify
from segue.client.cli.commands.playlist import playlist
from segue.client.cli.commands.recommend import recommend
from segue.client.cli.commands.up import up
from segue.client.cli.errors import ErrorReportingGroup
from segue.client.cli.options import shared_options
from segue.core.settings.tracing import start_tracing
from segue.core.settings.version import VERSION


@click.group(cls=ErrorReportingGroup, context_settings={"help_option_names": ["-h", "--help"]})
@shared_options
@click.version_option(VERSION, prog_name="segue")
def main() -> None:
    """Asks a Segue server for the genres of music and for similar tracks."""
    logger = logging.getLogger("segue.client")
    logger.setLevel(logging.INFO)
    logger.handlers = [_StderrHandler()]
    start_tracing("segue")
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A title may have letters that the terminal's encoding lacks.
        sys.stdout.reconfigure(errors="replace")


class _StderrHandler(logging.Handler):
    """Prints what the client waits for."""

    def emit(self, record: logging.LogRecord) -> None:
        """Prints a message on standard error."""
        click.echo(f"segue: {record.getMessage()}", err=True)


for command in (classify, recommend, playlist, search, track, tracks, status, up):
    main.add_command(command)
