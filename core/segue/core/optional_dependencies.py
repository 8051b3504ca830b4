"""Tells someone who installed only the client what a program lacks."""

from __future__ import annotations

from importlib.util import find_spec

import click


def require_extra(extra: str, *modules: str) -> None:
    """Looks, without importing them, for the modules that a program needs.

    Args:
        extra: the extra of the distribution that brings them.
        modules: their names.

    Raises:
        click.ClickException: one of them is not installed.
    """
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        raise click.ClickException(
            f"Not installed here: {', '.join(missing)}. Bring what this program needs by: pip install 'segue[{extra}]'"
        )
