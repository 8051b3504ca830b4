"""What the options of several commands take. ``--help`` asks it, so nothing heavy is imported here."""

from __future__ import annotations

import re
from pathlib import Path

import click

FOLDER = click.Path(path_type=Path, file_okay=False)
FILE = click.Path(path_type=Path, dir_okay=False)


def slug(_context: click.Context, _option: click.Parameter, name: str | None) -> str | None:
    """A name that is part of a model id: it stands in folders, logs and catalogues."""
    if name is not None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
        raise click.BadParameter("up to 64 letters, digits, dots, dashes and underscores, a letter or digit first.")
    return name
