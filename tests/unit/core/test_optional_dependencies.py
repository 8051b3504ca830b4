from __future__ import annotations

import click
import pytest

from segue.core.optional_dependencies import require_extra


def test_installed_modules() -> None:
    """Installed modules raise no error."""
    require_extra("server", "json", "click")


def test_missing_modules() -> None:
    """The error names the missing modules, and the command that installs them."""
    with pytest.raises(click.ClickException, match=r"no_such_module.*segue\[server\]"):
        require_extra("server", "json", "no_such_module")
