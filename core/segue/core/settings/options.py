"""Options that can also be set in the environment and in the file of settings.

The command line takes precedence over the environment, the environment over the file, and the file over the defaults.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from segue.core.settings.file import find_settings_file, mask_passwords, read_settings

_FILE = "segue.core.settings.options"
_DEFAULT = "by default"

F = TypeVar("F", bound=Callable[..., Any])


class SettingOption(click.Option):
    """An option that can also be set in the environment, as SEGUE_..., and in the file of settings."""

    def __init__(self, declarations: list[str], **attributes: Any) -> None:  # noqa: ANN401 - click's own signature
        variable = "SEGUE_" + declarations[0].removeprefix("--").replace("-", "_").upper()
        super().__init__(declarations, **{"envvar": variable, **attributes})

    @property
    def key(self) -> str:
        """The name of the setting in a file."""
        return self.opts[0].removeprefix("--")

    def get_error_hint(self, ctx: click.Context | None) -> str:
        """Returns the source of a wrong value for its error message."""
        if ctx is None or ctx.get_parameter_source(str(self.name)) is ParameterSource.COMMANDLINE:
            return super().get_error_hint(ctx)
        return f"{self.key} {setting_source(self, ctx)}"


def config_option(program: str) -> Callable[[F], F]:
    """Declares ``--config``, whose file sets the options of a command that are not given.

    Args:
        program: "server" or "indexer".
    """

    def load(ctx: click.Context, _option: click.Parameter, named: Path | None) -> None:
        _load(ctx, program, named)

    return click.option(
        "--config",
        type=click.Path(path_type=Path, dir_okay=False),
        envvar="SEGUE_CONFIG",
        is_eager=True,
        expose_value=False,
        callback=load,
        help="TOML file of settings.  [default: segue.toml here, in ~/.config/segue or in /etc/segue]",
    )


def _load(ctx: click.Context, program: str, named: Path | None) -> None:
    """Makes the settings of a file the defaults of a command's options.

    Raises:
        click.UsageError: the file cannot be read, has an unknown name, or has a value of the wrong type.
    """
    file = ctx.meta[_FILE] = find_settings_file(named)
    if file is None:
        return
    # The section has the settings of all commands, and this command need not have them all.
    flags = {option.key: option.is_flag for option in _setting_options(ctx.find_root().command)}
    values = read_settings(file, program, flags)
    names = {option.key: str(option.name) for option in _setting_options(ctx.command)}
    # As text, so that a value means the same as on the command line: 2.5 is not a whole number.
    ctx.default_map = {
        names[key]: value if isinstance(value, bool) else str(value) for key, value in values.items() if key in names
    }


def settings_file(ctx: click.Context) -> Path | None:
    """Returns the file of settings of a running command, or None if there is none."""
    file: Path | None = ctx.meta.get(_FILE)
    return file


def _setting_options(command: click.Command) -> Iterator[SettingOption]:
    """Yields the settings of a command and of all commands below it."""
    yield from (option for option in command.params if isinstance(option, SettingOption))
    if isinstance(command, click.Group):
        for below in command.commands.values():
            yield from _setting_options(below)


def effective_settings(ctx: click.Context) -> Iterator[tuple[str, str, str]]:
    """Yields the key, the value with masked passwords, and the source of each setting of a running command."""
    for option in ctx.command.params:
        if isinstance(option, SettingOption):
            value = ctx.params[str(option.name)]
            text = "none" if value is None else mask_passwords(str(value))
            yield option.key, text, setting_source(option, ctx)


def settings_line(ctx: click.Context) -> str:
    """Returns one line with the settings of a running command that are not the defaults, without passwords."""
    given = [f"{key} {value} ({source})" for key, value, source in effective_settings(ctx) if source != _DEFAULT]
    return f"settings: {', '.join(given)}; all others by default" if given else "settings: all by default"


def setting_source(option: SettingOption, ctx: click.Context) -> str:
    """Returns the source of a value, such as "from SEGUE_LISTEN"."""
    match ctx.get_parameter_source(str(option.name)):
        case ParameterSource.COMMANDLINE:
            return "on the command line"
        case ParameterSource.ENVIRONMENT:
            return f"from {option.envvar}"
        case ParameterSource.DEFAULT_MAP:
            return f"in {ctx.meta[_FILE]}"
    return _DEFAULT
