"""The command ``segue-server token``."""

from __future__ import annotations

import re

import click

from segue.server.security.tokens import SCOPES, new_token


@click.group()
def token() -> None:
    """Creates access tokens."""


@token.command("new")
@click.option("--name", metavar="NAME", help="Name of the token's owner.  [default: made of the token's hash]")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(sorted(SCOPES)),
    multiple=True,
    required=True,
    help="Service that the token permits; repeat the option for more.",
)
def new(name: str | None, scopes: tuple[str, ...]) -> None:
    """Prints a new token, and its line for the file of tokens.

    The token is on the standard output; it cannot be shown again. The line for the file that --tokens names is on the
    standard error.
    """
    if name is not None and not re.fullmatch(r"[\w-]+", name, re.ASCII):
        raise click.BadParameter(f"{name!r} must consist of letters, digits, - and _.", param_hint="--name")
    value, grant = new_token(name, scopes)
    click.echo("# The line for the file that --tokens names:", err=True)
    click.echo(grant.line, err=True)
    click.echo(value)
