"""The command ``segue-server doctor``."""

from __future__ import annotations

import sys
from typing import Any

import click

from segue.server.cli.options import make_settings, server_options
from segue.server.cli.report import print_checks, print_checks_as_json


@click.command()
@server_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def doctor(*, as_json: bool, **values: Any) -> None:  # noqa: ANN401 - the fields of Settings
    """Checks whether a server with these options can start and serve, and says what to do if not.

    Exits with 1 if a check fails.
    """
    from segue.server.preflight.checks import run_checks  # noqa: PLC0415 - so that --help is quick

    results = run_checks(make_settings(values))
    passed = print_checks_as_json(results) if as_json else print_checks(results)
    sys.exit(0 if passed else 1)
