"""Warns of secrets on the command line, which other users of the machine can list.

The client uses this module as well, so it imports nothing but click.
"""

from __future__ import annotations

import click
from click.core import ParameterSource

from segue.core.settings.file import mask_passwords


def warn_of_visible_secret(what: str, place: str) -> None:
    """Warns on standard error that a secret is on the command line.

    Args:
        what: the secret.
        place: where to put it instead.
    """
    click.echo(
        f"Warning: other users of this machine can see the {what} on the command line. Put it into {place}.", err=True
    )


def warn_of_visible_password(ctx: click.Context, option: click.Parameter, url: str | None) -> str | None:
    """Warns if the password of a URL is on the command line; the callback of an option. Returns the URL."""
    source = ctx.get_parameter_source(str(option.name))
    if url and source is ParameterSource.COMMANDLINE and mask_passwords(url) != url:
        warn_of_visible_secret("password of Redis", "SEGUE_REDIS or the file of settings")
    return url
