"""Where the server's settings come from: the command line, the environment, a TOML file, a default, in this order."""

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
# What a URL has between user and host, also where it is not encoded as it should be, and what redis-py takes for the
# same in its query.
_SECRETS = re.compile(r"(?<=://)([^/@:]*):.*(?=@)|(?<=[?&]password=)[^&]*")


class Setting(click.Option):
    """An option that may also stand in the environment, as SEGUE_..., and in the file that --config names."""

    def __init__(self, declarations: list[str], **attributes: Any) -> None:  # noqa: ANN401 - click's own signature
        variable = "SEGUE_" + declarations[0].removeprefix("--").replace("-", "_").upper()
        super().__init__(declarations, **{"envvar": variable, **attributes})

    @property
    def key(self) -> str:
        """What the setting is called in a file."""
        return self.opts[0].removeprefix("--")

    def get_error_hint(self, ctx: click.Context | None) -> str:
        """Says where a wrong value stands, so that it can be mended there."""
        if ctx is None or ctx.get_parameter_source(str(self.name)) is ParameterSource.COMMANDLINE:
            return super().get_error_hint(ctx)
        return f"{self.key} {setting_source(self, ctx)}"


def read_config(ctx: click.Context, _option: click.Parameter, file: Path | None) -> None:
    """Takes the settings of a TOML file as the defaults of a command's options.

    Raises:
        click.UsageError: the file cannot be read, or has a key or a kind of value that no setting has.
    """
    ctx.meta[_FILE] = file
    if file is None:
        return
    settings = {option.key: option for option in ctx.command.params if isinstance(option, Setting)}
    values = _parse(file)
    for key, value in values.items():
        _check(file, key, value, settings)
    # As text, so that a value means here what it means on the command line: 2.5 is no whole number.
    ctx.default_map = {
        str(settings[key].name): value if isinstance(value, bool) else str(value) for key, value in values.items()
    }


def _parse(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise click.UsageError(f"{file} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise click.UsageError(f"{file} is not TOML: {error}.") from error


def _check(file: Path, key: str, value: object, settings: Mapping[str, Setting]) -> None:
    if key not in settings:
        near = get_close_matches(key, settings, 1)
        advice = f"Did you mean {near[0]}?" if near else f"There are {', '.join(settings)}."
        raise click.UsageError(f"{file} has an unknown key, {key}. {advice}")
    flag = settings[key].is_flag
    if not isinstance(value, bool if flag else (str, int, float)) or (isinstance(value, bool) and not flag):
        wanted = "true or false" if flag else "one text or number"
        raise click.UsageError(
            f"{key} in {file} is {type(value).__name__} {mask_passwords(repr(value))}; give it {wanted}."
        )


def effective_settings(ctx: click.Context) -> Iterator[tuple[str, str, str]]:
    """Every setting of a command that runs: its key, its value with secrets masked, and where it came from."""
    for option in ctx.command.params:
        if isinstance(option, Setting):
            value = ctx.params[str(option.name)]
            yield option.key, "none" if value is None else mask_passwords(str(value)), setting_source(option, ctx)


def mask_passwords(text: str) -> str:
    """A text in which the passwords of URLs are three stars."""
    return _SECRETS.sub(lambda found: f"{found[1]}:***" if found[1] is not None else "***", text)


def setting_source(option: Setting, ctx: click.Context) -> str:
    """Returns where the value of an option comes from, such as "from SEGUE_LISTEN"."""
    match ctx.get_parameter_source(str(option.name)):
        case ParameterSource.COMMANDLINE:
            return "on the command line"
        case ParameterSource.ENVIRONMENT:
            return f"from {option.envvar}"
        case ParameterSource.DEFAULT_MAP:
            return f"in {ctx.meta[_FILE]}"
    return "by default"
