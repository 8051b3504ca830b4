"""The ``segue-server`` command."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import click
from click.core import ParameterSource

from segue.core.errors import SegueError
from segue.core.extras import require_extra
from segue.core.places import shipped_models
from segue.server.config import effective
from segue.server.options import Options, serving

_log = logging.getLogger(__name__)


@click.group(invoke_without_command=True, context_settings={"show_default": True, "max_content_width": 120})
@serving
@click.version_option(package_name="segue")
@click.pass_context
def main(ctx: click.Context, /, **values: Any) -> None:  # noqa: ANN401 - the fields of Options
    """Tells the genre of music and what to play next, over gRPC.

    Without a command it serves. An option may also stand in the environment, as SEGUE_ and its name, or in the file
    that --config names; the command line goes before the environment, and that before the file.
    """
    require_extra("server", "hnswlib", "redis", "tensorflow", "grpc_health", "grpc_reflection", "prometheus_client")
    if ctx.invoked_subcommand is None:
        _serve(ctx, Options(**values))
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
    from segue.server.models import find, show  # noqa: PLC0415 - so that --help is quick

    found = find([shipped_models(), *folders])
    show(found, as_json=as_json)
    sys.exit(1 if any(model.problem for model in found) else 0)


def _serve(ctx: click.Context, options: Options) -> None:
    signal.signal(signal.SIGTERM, _stop_starting)
    logging.basicConfig(level=logging.INFO, format="segue-server: %(message)s")
    for key, value, whence in effective(ctx):
        _log.info("%s is %s, %s", key, value, whence)
    try:
        _run(options)
    except (SegueError, OSError) as error:
        click.echo(f"segue-server: {error}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _run(options: Options) -> None:
    from segue.server.bootstrap import Settings  # noqa: PLC0415 - so that --help is quick
    from segue.server.lifecycle import serve  # noqa: PLC0415 - likewise
    from segue.server.metrics import Metrics, served  # noqa: PLC0415 - likewise

    metrics = Metrics()
    settings = Settings(options.data, options.redis, options.model, options.workers, options.most_waiting)
    with served(metrics, options.metrics_listen):
        asyncio.run(serve(settings, metrics, options.listen, options.grace))


def _stop_starting(_number: int, _frame: FrameType | None) -> None:
    """Ends a server that is told to stop before it serves, in good order: what it started is stopped with it."""
    sys.exit(0)
