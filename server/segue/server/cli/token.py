"""The command ``segue-server token``."""

from __future__ import annotations

import re
from pathlib import Path

import click

from segue.server.callers.quota import Quotas
from segue.server.cli.param_types import CountRange, NumberRange
from segue.server.security.tokens import SCOPES, Grant, new_token

_QUOTA = NumberRange(1e-3, 1e9)


@click.group()
def token() -> None:
    """Creates access tokens."""


@token.command("new")
@click.option(
    "--tokens",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="File of access tokens to add the new one to; created if it is missing.  [default: its line is printed]",
)
@click.option("--name", metavar="NAME", help="Name of the token's owner.  [default: made of the token's hash]")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(sorted(SCOPES)),
    multiple=True,
    required=True,
    help="Service that the token permits; repeat the option for more.",
)
@click.option(
    "--rate", type=_QUOTA, metavar="CALLS", help="Most calls a second, on average over 10 s.  [default: no limit]"
)
@click.option(
    "--concurrency", type=CountRange(1, 10**9), metavar="CALLS", help="Most calls at once.  [default: no limit]"
)
@click.option(
    "--seconds-of-audio",
    type=_QUOTA,
    metavar="SECONDS",
    help="Most seconds of audio that are analyzed in an hour.  [default: no limit]",
)
def new(
    file: Path | None,
    name: str | None,
    scopes: tuple[str, ...],
    rate: float | None,
    concurrency: int | None,
    seconds_of_audio: float | None,
) -> None:
    """Prints a new token, and adds it to the file of tokens.

    The token is on the standard output; it cannot be shown again. A running server accepts it at once. Without
    --tokens, the line for the file is printed on the standard error.
    """
    if name is not None and not re.fullmatch(r"[\w-]+", name, re.ASCII):
        raise click.BadParameter(f"{name!r} must consist of letters, digits, - and _.", param_hint="--name")
    value, grant = new_token(name, scopes, Quotas(rate, concurrency, seconds_of_audio))
    if file:
        _add(file, grant)
    else:
        click.echo("# The line for the file that --tokens names:", err=True)
        click.echo(grant.line, err=True)
    click.echo(value)


def _add(file: Path, grant: Grant) -> None:
    from segue.server.security.token_file import add_grant  # noqa: PLC0415 - so that --help is quick

    try:
        add_grant(file, grant)
    except OSError as error:
        raise click.ClickException(
            f"{file} cannot be changed: {error.strerror or error}. Run as a user who may write it and its folder, or "
            "name another file."
        ) from error
