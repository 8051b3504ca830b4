"""The options that several commands of ``segue-indexer`` have; none is declared twice."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import fields
from functools import reduce, wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from segue.core.paths import DEFAULT_MODEL, default_data_folder, default_model, resolve_model
from segue.indexer.settings import OutputOptions, Settings

Command = TypeVar("Command", bound=Callable[..., Any])

_FOLDER = click.Path(path_type=Path, file_okay=False)

_CATALOGUE = (
    click.option(
        "--data",
        type=_FOLDER,
        default=default_data_folder,
        show_default="segue in your own data folder",
        envvar="SEGUE_DATA",
        help="Where Segue keeps its state; share it with segue-server.",
    ),
    click.option("--redis", envvar="SEGUE_REDIS", help="URL of a Redis server.  [default: a private one in --data]"),
    click.option("--json", "as_json", is_flag=True, help="Print one JSON document, for programs."),
)
_HEARING = (
    click.option(
        "--model",
        type=resolve_model,
        metavar="NAME|DIR",
        default=default_model,
        show_default=DEFAULT_MODEL,
        envvar="SEGUE_MODEL",
        help="The network that hears the music: one that ships, by its name, or an artifact's folder.",
    ),
    click.option(
        "--jobs",
        type=click.IntRange(1, 256),
        default=lambda: os.cpu_count() or 1,
        show_default="one for each core",
        envvar="SEGUE_JOBS",
        help="How many files are decoded at once.",
    ),
    click.option(
        "--file-seconds",
        type=click.FloatRange(0, min_open=True),
        default=300.0,
        metavar="N",
        help="How long one file may take to decode; one that takes longer has failed.",
    ),
    click.option(
        "--file-memory",
        type=click.IntRange(1),
        default=1024,
        metavar="MIB",
        help="How much memory the decoding of one file may take; one that wants more has failed. Linux only.",
    ),
    click.option(
        "--nice",
        type=click.IntRange(0, 19),
        default=0,
        envvar="SEGUE_NICE",
        help="How far to step back behind other programs that want the processor.",
    ),
    click.option(
        "--allow-failures", type=click.IntRange(0), default=0, metavar="N", help="Exit with 0 if at most N files fail."
    ),
    click.option("--quiet", is_flag=True, help="Say nothing but what failed."),
)

allow_removals = click.option(
    "--allow-removals", is_flag=True, help="Remove however many tracks cannot be found any more."
)
"""Declares ``allow_removals``."""

backup_file = click.argument("file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE")
"""Declares ``file``, a backup."""

dry_run = click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
"""Declares ``dry_run``."""

paths = click.argument(
    "paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path), metavar="PATH..."
)
"""Declares ``paths``, files and folders that are there."""


def catalogue(command: Command) -> Command:
    """Declares where the catalogue is, and how the answer looks: ``data``, ``redis``, ``as_json``."""
    return _declare(_CATALOGUE, command)


def hearing(command: Callable[..., None]) -> Callable[..., None]:
    """Declares the options of a run that hears music, those of ``catalogue`` among them: ``settings``, ``output``."""

    @wraps(command)
    def gathered(*, as_json: bool, quiet: bool, allow_failures: int, redis: str | None, **given: Any) -> None:  # noqa: ANN401 - the command's own options are among them
        told = {field.name: given.pop(field.name) for field in fields(Settings) if field.name in given}
        command(
            settings=Settings(redis_url=redis, **told), output=OutputOptions(as_json, quiet, allow_failures), **given
        )

    return _declare(_CATALOGUE + _HEARING, gathered)


def _declare(options: tuple[Callable[[Command], Command], ...], command: Command) -> Command:
    return reduce(lambda made, option: option(made), reversed(options), command)
