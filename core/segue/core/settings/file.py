"""Finds and reads the file of settings, segue.toml, which all programs share.

::

    data = "/var/lib/segue"           # at the top: settings that server and indexer share
    redis = "redis://redis:6379/0"

    [server]                          # a section: settings of one program, instead of those at the top
    listen = "0.0.0.0:50051"

The client uses this module as well, so it imports nothing but click.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click

NAME = "segue.toml"
SHARED = ("data", "redis", "model", "engine")
"""The settings that server and indexer share."""

SECTIONS = ("server", "indexer", "client")

Values = dict[str, str | int | float | bool]
"""Settings by their names."""

# The password between user and host of a URL, even if it is not encoded as it should be, and those in the query: that
# of Redis, which redis-py accepts there as well, and that of its Sentinels.
_PASSWORDS = re.compile(r"(?<=://)([^/@:]*):.*(?=@)|(?<=[?&]password=)[^&]*|(?<=[?&]sentinel_password=)[^&]*")


def find_settings_file(named: Path | None = None) -> Path | None:
    """Returns the file of settings, or None if there is none.

    It is the named one, else the first of ``segue.toml`` in the working directory, ``segue/segue.toml`` in the user's
    folder of settings, and ``/etc/segue/segue.toml``. One in the working directory that belongs to another user is not
    used, since it could send tokens and passwords to a server of that user.

    Args:
        named: the file that an option or SEGUE_CONFIG names.
    """
    if named:
        return named
    return next((file for file in _places() if file.is_file() and (file.is_absolute() or _is_trusted(file))), None)


def _places() -> Iterator[Path]:
    yield Path(NAME)
    settings = Path(os.environ.get("XDG_CONFIG_HOME", ""))
    # The XDG Base Directory Specification says that relative paths are ignored.
    home = settings if settings.is_absolute() else Path(os.path.expanduser("~/.config"))  # noqa: PTH111 - never raises
    if home.is_absolute():
        yield home / "segue" / NAME
    yield Path("/etc/segue") / NAME


def _is_trusted(file: Path) -> bool:
    if file.stat().st_uid in {0, os.geteuid()}:
        return True
    click.echo(f"{file.absolute()} belongs to another user and is not read; name it with --config to use it.", err=True)
    return False


def read_settings(file: Path, program: str, flags: Mapping[str, bool]) -> Values:
    """Returns the settings of a program: those of its section, else those at the top.

    Args:
        file: the file.
        program: one of ``SECTIONS``. At the top, server and indexer accept the names of ``SHARED`` and their own; the
            client reads only its section.
        flags: the names that the program has, each with True if it is true or false.

    Raises:
        click.UsageError: the file cannot be read, has an unknown name, or has a value of the wrong type.
    """
    document = _parse(file)
    sections = {key: value for key, value in document.items() if isinstance(value, dict)}
    for key in sections:
        _check_known(f"{file} has an unknown section, {key}.", "sections", key, SECTIONS)
    top = {} if program == "client" else {key: document[key] for key in document if key not in sections}
    for key in top:
        _check_top(file, key, flags)
    section = sections.get(program, {})
    for key in section:
        _check_known(f"{file} has an unknown name in its section {program}, {key}.", "names", key, flags)
    values = {key: value for key, value in (top | section).items() if key in flags}
    for key, value in values.items():
        _check_type(file, key, value, is_flag=flags[key])
    return values


def _parse(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise click.UsageError(
            f"{file} cannot be read: {error.strerror}. Name another file with --config or SEGUE_CONFIG."
        ) from error
    except (ValueError, RecursionError) as error:
        raise click.UsageError(f"{file} is not TOML: {error}.") from error


def _check_top(file: Path, key: str, names: Iterable[str]) -> None:
    known = tuple(dict.fromkeys([*SHARED, *names]))
    if key not in known and not get_close_matches(key, known, 1):
        sections = ", ".join(f"[{section}]" for section in SECTIONS)
        raise click.UsageError(
            f"{file} has an unknown name, {key}. Only {', '.join(SHARED)} are for all programs; write the settings of "
            f"one program below {sections}."
        )
    _check_known(f"{file} has an unknown name, {key}.", "names", key, known)


def _check_known(problem: str, kind: str, key: str, known: Iterable[str]) -> None:
    known = tuple(known)
    if key not in known:
        near = get_close_matches(key, known, 1)
        advice = f"Did you mean {near[0]}?" if near else f"The {kind} are {', '.join(known)}."
        raise click.UsageError(f"{problem} {advice}")


def _check_type(file: Path, key: str, value: object, *, is_flag: bool) -> None:
    if not isinstance(value, bool if is_flag else (str, int, float)) or (isinstance(value, bool) and not is_flag):
        expected = "true or false" if is_flag else "one text or number"
        actual = f"{type(value).__name__} {mask_passwords(repr(value))}"
        raise click.UsageError(f"{key} in {file} is {actual}; use {expected}.")


def mask_passwords(text: str) -> str:
    """Replaces the passwords of URLs in a text by three asterisks."""
    return _PASSWORDS.sub(lambda match: f"{match[1]}:***" if match[1] is not None else "***", text)
