"""The ``segue-server`` command."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import click
from click.core import ParameterSource

from segue.core.errors import SegueError
from segue.core.model.tensorflow_stderr import end_silence
from segue.core.optional_dependencies import require_extra
from segue.core.paths import shipped_models
from segue.server.cli.config_file import effective_settings
from segue.server.cli.options import server_options
from segue.server.observability.log_setup import configure_logging
from segue.server.process.signals import stop_signals
from segue.server.security.tokens import SCOPES, new_token
from segue.server.settings import Settings

_log = logging.getLogger(__name__)


@click.group(invoke_without_command=True, context_settings={"show_default": True, "max_content_width": 120})
@server_options
@click.version_option(package_name="segue")
@click.pass_context
def main(ctx: click.Context, /, **values: Any) -> None:  # noqa: ANN401 - the fields of Settings
    """Tells the genre of music and what to play next, over gRPC.

    Without a command it serves. An option may also stand in the environment, as SEGUE_ and its name, or in the file
    that --config names; the command line goes before the environment, and that before the file.
    """
    require_extra(
        "server",
        "hnswlib",
        "redis",
        "tensorflow",
        "grpc_health",
        "grpc_reflection",
        "prometheus_client",
        "cryptography",
    )
    if ctx.invoked_subcommand is None:
        _serve(ctx, Settings(**values))
    elif given := [name for name in values if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE]:
        option = f"--{given[0].replace('_', '-')}"
        raise click.UsageError(f"{option} stands before {ctx.invoked_subcommand}; write it behind, if it takes one.")


@main.command()
@click.argument(
    "folders", nargs=-1, type=click.Path(path_type=Path, file_okay=False, exists=True), metavar="[FOLDER]..."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def models(folders: tuple[Path, ...], *, as_json: bool) -> None:
    """Lists the networks that ship with Segue, and those in each FOLDER.

    Exits with 1 if one of them is damaged.
    """
    from segue.server.cli.list_models import find, show  # noqa: PLC0415 - so that --help is quick

    found = find([shipped_models(), *folders])
    show(found, as_json=as_json)
    sys.exit(1 if any(model.problem for model in found) else 0)


@main.command()
@server_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def doctor(*, as_json: bool, **values: Any) -> None:  # noqa: ANN401 - the fields of Settings
    """Looks whether a server with these options could start and answer, and says what to do if not.

    Exits with 1 if anything fails.
    """
    from segue.server.cli.doctor import examine, show  # noqa: PLC0415 - so that --help is quick

    sys.exit(0 if show(examine(Settings(**values)), as_json=as_json) else 1)


@main.group()
def token() -> None:
    """Makes tokens, by which callers are told apart."""


@token.command("new")
@click.option("--name", help="Whose it is.  [default: made of its hash]")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(sorted(SCOPES)),
    multiple=True,
    required=True,
    help="What it opens; repeat it for more.",
)
def new(name: str | None, scopes: tuple[str, ...]) -> None:
    """Makes a token.

    Prints the token, which cannot be shown again, on the standard output, and the line for the file that --tokens
    names on the standard error.
    """
    if name is not None and not re.fullmatch(r"[\w-]+", name, re.ASCII):
        raise click.BadParameter(f"{name!r} is not made of letters, digits, - and _.", param_hint="--name")
    made, grant = new_token(name, scopes)
    click.echo("# The line for the file that --tokens names:", err=True)
    click.echo(grant.line, err=True)
    click.echo(made)


def _serve(ctx: click.Context, settings: Settings) -> None:
    for number in stop_signals():
        if number is not signal.SIGINT:
            signal.signal(number, _stop_starting)
    configure_logging(settings.log_format, settings.log_level)
    for key, value, whence in effective_settings(ctx):
        _log.info("%s is %s, %s", key, value, whence)
    try:
        _run(settings)
    except (SegueError, OSError) as error:
        _log.error("%s", error)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _run(settings: Settings) -> None:
    from segue.server.assembly import read_listener_security  # noqa: PLC0415 - so that --help is quick
    from segue.server.lifecycle import serve  # noqa: PLC0415 - likewise
    from segue.server.observability.metrics import Metrics  # noqa: PLC0415 - likewise
    from segue.server.observability.metrics_server import serve_metrics  # noqa: PLC0415 - likewise

    metrics = Metrics()
    security = read_listener_security(settings, metrics)
    with serve_metrics(metrics.registry, settings.metrics_listen):
        served_any = asyncio.run(serve(settings, metrics, security))
    if not served_any:
        _leave()


def _leave() -> NoReturn:
    """Ends with exit code 0, and at once: Python would wait for the thread that loads."""
    logging.shutdown()
    end_silence()
    os._exit(0)


def _stop_starting(_number: int, _frame: FrameType | None) -> None:
    """Ends a server that is told to stop before it serves, in good order: what it started is stopped with it."""
    sys.exit(0)
