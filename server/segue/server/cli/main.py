"""The ``segue-server`` command group; without a command it serves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from segue.core.optional_dependencies import require_extra
from segue.core.settings.options import settings_file
from segue.core.settings.version import VERSION
from segue.server.cli.doctor import doctor
from segue.server.cli.errors import ErrorReportingGroup
from segue.server.cli.models import models
from segue.server.cli.options import make_settings, server_options
from segue.server.cli.serve import serve
from segue.server.cli.token import token
from segue.server.cli.up import prepare

# For people who try Segue; its other options work as well.
_SHOWN_BY_UP = {"config", "listen", "data", "redis", "model"}


@click.group(
    cls=ErrorReportingGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "show_default": True, "max_content_width": 120},
)
@server_options
@click.version_option(VERSION)
@click.pass_context
def main(ctx: click.Context, /, **values: Any) -> None:  # noqa: ANN401 - the fields of Settings
    """Classifies music by genre and recommends similar tracks, over gRPC.

    Without a command, it starts the server. Each option can also be set in the environment (--queue-seconds is
    SEGUE_QUEUE_SECONDS) or in the section [server] of the file of settings (queue-seconds = 600). The command line
    takes precedence over the environment, and the environment over the file.
    """
    require_extra(
        "server",
        "hnswlib",
        "redis",
        "onnxruntime",
        "grpc_health",
        "grpc_reflection",
        "prometheus_client",
        "cryptography",
    )
    if ctx.invoked_subcommand is None:
        serve(ctx, make_settings(values))
    elif given := [
        name for name in (*values, "config") if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
    ]:
        option = f"--{given[0].replace('_', '-')}"
        raise click.UsageError(
            f"{option} comes before {ctx.invoked_subcommand} and has no effect there; write it after "
            f"{ctx.invoked_subcommand} if that command has it."
        )


@main.command()
@click.argument("folders", nargs=-1, type=click.Path(path_type=Path, exists=True), metavar="[FOLDER]...")
@server_options
@click.pass_context
def up(ctx: click.Context, /, folders: tuple[Path, ...], **values: Any) -> None:  # noqa: ANN401 - fields of Settings
    """Indexes each FOLDER of music, then serves it until Ctrl-C, for people who try Segue.

    Run it again after you added music: only new and changed files are decoded. Without FOLDER it serves what is there.
    It takes all options of segue-server, and needs neither Redis nor other preparation.
    """
    settings = make_settings(values)
    if ctx.get_parameter_source("log_level") is ParameterSource.DEFAULT:
        settings = replace(settings, log_level="warning")
    prepare(folders, settings, settings_file(ctx))

    from segue.server.cli.first_steps import first_steps  # noqa: PLC0415 - so that --help is quick

    serve(ctx, settings, lambda address, components: click.echo(first_steps(address, components, folders)))


for option in up.params:
    if isinstance(option, click.Option):
        option.hidden = option.name not in _SHOWN_BY_UP

main.add_command(doctor)
main.add_command(models)
main.add_command(token)
