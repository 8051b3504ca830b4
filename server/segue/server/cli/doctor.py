"""The command ``segue-server doctor``."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import click

from segue.server.cli.options import server_options
from segue.server.preflight.check_result import CheckResult
from segue.server.settings import Settings


@click.command()
@server_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def doctor(*, as_json: bool, **values: Any) -> None:  # noqa: ANN401 - the fields of Settings
    """Checks whether a server with these options can start and serve, and says what to do if not.

    Exits with 1 if a check fails.
    """
    from segue.server.preflight.checks import run_checks  # noqa: PLC0415 - so that --help is quick

    results = run_checks(Settings(**values))
    passed = _print_json(results) if as_json else _print_text(results)
    sys.exit(0 if passed else 1)


def _print_text(results: Iterator[CheckResult]) -> bool:
    """Prints each result as soon as it is there, since some checks take seconds; returns True if none failed."""
    passed = True
    for result in results:
        click.echo(f"{result.level:4}  {result.what}: {result.text}")
        if result.advice:
            click.echo(f"      -> {result.advice}")
        passed = passed and result.level != "fail"
    return passed


def _print_json(results: Iterator[CheckResult]) -> bool:
    """Prints all results as one document; returns True if none failed."""
    finished = list(results)
    click.echo(json.dumps({"checks": [asdict(result) for result in finished]}, indent=2))
    return all(result.level != "fail" for result in finished)
