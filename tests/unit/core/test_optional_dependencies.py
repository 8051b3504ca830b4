from __future__ import annotations

import click
import pytest

from segue.core.optional_dependencies import require_extra


def test_what_is_there_is_enough() -> None:
    """Nothing is said where everything is installed."""
    require_extra("server", "json", "click")


def test_what_is_missing_is_named() -> None:
    """What is missing is named, with the command that brings it."""
    with pytest.raises(click.ClickException, match=r"no_such_module.*segue\[server\]"):
        require_extra("server", "json", "no_such_module")
