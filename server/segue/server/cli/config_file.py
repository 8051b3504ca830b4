"""Sources of the settings: the command line, the environment, a TOML file and the defaults, in this order."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

_FILE = "segue.server.cli.config_file"
_DEFAULT = "by default"
# The password between user and host of a URL, even if it is not encoded as it should be, and the one in the query that
# redis-py accepts as well.
_PASSWORDS = re.compile(r"(?<=://)([^/@:]*):.*(?=@)|(?<=[?&]password=)[^&]*")


class SettingOption(click.Option):
    """An option that can also be set in the environment, as SEGUE_..., and in the file that --config names."""

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


def load_config_file(ctx: click.Context, _option: click.Parameter, file: Path | None) -> None:
    """Makes the settings of a TOML file the defaults of a command's options.

    Raises:
        click.UsageError: the file cannot be read, has an unknown key, or has a value of the wrong type.
    """
    ctx.meta[_FILE] = file
    if file is None:
        return
    options = {option.key: option for option in ctx.command.params if isinstance(option, SettingOption)}
    values = _parse(file)
    for key, value in values.items():
        _check(file, key, value, options)
    # As text, so that a value means the same as on the command line: 2.5 is not a whole number.
    ctx.default_map = {
        str(options[key].name): value if isinstance(value, bool) else str(value) for key, value in values.items()
    }


def _parse(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise click.UsageError(f"{file} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise click.UsageError(f"{file} is not TOML: {error}.") from error


def _check(file: Path, key: str, value: object, options: Mapping[str, SettingOption]) -> None:
    if key not in options:
        near = get_close_matches(key, options, 1)
        advice = f"Did you mean {near[0]}?" if near else f"The keys are {', '.join(options)}."
        raise click.UsageError(f"{file} has an unknown key, {key}. {advice}")
    flag = options[key].is_flag
    if not isinstance(value, bool if flag else (str, int, float)) or (isinstance(value, bool) and not flag):
        expected = "true or false" if flag else "one text or number"
        actual = f"{type(value).__name__} {mask_passwords(repr(value))}"
        raise click.UsageError(f"{key} in {file} is {actual}; use {expected}.")


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


def mask_passwords(text: str) -> str:
    """Replaces the passwords of URLs in a text by three asterisks."""
    return _PASSWORDS.sub(lambda match: f"{match[1]}:***" if match[1] is not None else "***", text)


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
