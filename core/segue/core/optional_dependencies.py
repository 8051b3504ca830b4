"""Checks that the optional dependencies of a program are installed."""

from __future__ import annotations

from importlib.util import find_spec

import click


def require_extra(extra: str, *modules: str) -> None:
    """Checks that the modules that a program needs are installed, without importing them.

    Args:
        extra: the extra of the distribution that installs them, such as "server".
        modules: names of the modules.

    Raises:
        click.ClickException: a module is not installed.
    """
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        raise click.ClickException(
            f"This program needs {', '.join(missing)}, not installed here. Run: pip install 'segue[{extra}]'"
        )
