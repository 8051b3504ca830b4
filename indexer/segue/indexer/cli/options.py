"""Options of ``segue-indexer``, each declared once."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import fields
from functools import reduce, wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from segue.core.catalogue.display_path import file_path
from segue.core.model.engine_option import engine_option
from segue.core.paths import DEFAULT_MODEL, NO_DATA_FOLDER, default_data_folder, resolve_model
from segue.core.settings.options import SettingOption, config_option
from segue.core.settings.visible_secrets import warn_of_visible_password
from segue.indexer.settings import CatalogueSettings, OutputOptions, Settings

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T", bound=CatalogueSettings | OutputOptions)


def _require_data_folder(_context: click.Context, _option: click.Parameter, data: Path | None) -> Path:
    if data is None:
        raise click.UsageError(NO_DATA_FOLDER)
    return data


_CATALOGUE = (
    config_option("indexer"),
    click.option(
        "--data",
        cls=SettingOption,
        type=click.Path(path_type=Path, file_okay=False),
        default=default_data_folder,
        show_default="~/.local/share/segue",
        callback=_require_data_folder,
        help="Segue's data folder; share it with segue-server.",
    ),
    click.option(
        "--redis",
        "redis_url",
        cls=SettingOption,
        metavar="URL",
        callback=warn_of_visible_password,
        help="URL of a Redis server.  [default: a private one in --data]",
    ),
    click.option("--json", "as_json", is_flag=True, help="Print one JSON document."),
)
_INDEXING = (
    click.option(
        "--model",
        cls=SettingOption,
        type=resolve_model,
        metavar="NAME|DIR",
        help="Name of a model that ships with Segue, or folder of a trained model.  [default: the model that built the "
        f"catalogue, else {DEFAULT_MODEL}]",
    ),
    engine_option,
    click.option(
        "--jobs",
        cls=SettingOption,
        metavar="N",
        type=click.IntRange(1, 256),
        default=lambda: os.cpu_count() or 1,
        show_default="one for each core",
        help="Number of files to decode at once.",
    ),
    click.option(
        "--file-seconds",
        cls=SettingOption,
        type=click.FloatRange(0, min_open=True),
        default=300.0,
        metavar="N",
        help="Time limit in seconds for decoding one file; a slower file fails.",
    ),
    click.option(
        "--file-memory",
        cls=SettingOption,
        type=click.IntRange(1),
        default=1024,
        metavar="MIB",
        help="Memory limit in MiB for decoding one file; a file that needs more fails. Linux only.",
    ),
    click.option(
        "--nice",
        cls=SettingOption,
        metavar="N",
        type=click.IntRange(0, 19),
        default=0,
        help="Niceness; a higher value leaves more processor time to other programs.",
    ),
    click.option(
        "--keep-windows",
        cls=SettingOption,
        is_flag=True,
        help="Keep the embeddings of the windows of new tracks, for moments that match; about 1.2 kB for each track.",
    ),
    click.option("--quiet", is_flag=True, help="Print only failures."),
)
_FAILURES = (
    click.option(
        "--allow-failures",
        cls=SettingOption,
        type=click.IntRange(0),
        metavar="N",
        help="Exit with 1 if more than N files are failed, in this run or since an earlier one.  "
        "[default: only if all are]",
    ),
)

allow_removals = click.option("--allow-removals", is_flag=True, help="Do not refuse to remove many tracks; see above.")
"""Declares ``allow_removals``."""

backup_file = click.argument("file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE")
"""Declares ``file``, a backup."""

dry_run = click.option("--dry-run", is_flag=True, help="Print what would be done without doing it.")
"""Declares ``dry_run``."""

failures = click.option("--failures", is_flag=True, help="List every file that failed.")
"""Declares ``failures``."""

reason = click.option(
    "--reason",
    metavar="REASON",
    help="Retry only files that failed for this reason, such as AUDIO_UNDECODABLE; `segue-indexer status` lists "
    "the reasons that there are.",
)
"""Declares ``reason``."""

recheck = click.option(
    "--recheck",
    is_flag=True,
    help="Read unchanged files again, for new tags; one is decoded again only if its audio changed.",
)
"""Declares ``recheck``."""

repair = click.option(
    "--repair", is_flag=True, help="Repair the catalogue; tracks whose data is missing or damaged are removed."
)
"""Declares ``repair``."""

targets = click.argument("targets", nargs=-1, required=True, metavar="TRACK_ID|PATH...")
"""Declares ``targets``."""


class _MusicPath(click.Path):
    """An existing path, also as Segue prints it if it is not UTF-8."""

    def convert(self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ANN401 - as click declares it
        """Returns the path; fails if it does not exist."""
        exact = file_path(os.fspath(value))
        is_printed = exact.exists() and not os.path.lexists(value)
        return super().convert(exact if is_printed else value, param, ctx)


def _check_paths(_context: click.Context, _parameter: click.Parameter, paths: tuple[Path, ...]) -> tuple[Path, ...]:
    for path in paths:
        if not path.is_dir() and not path.is_file():
            raise click.BadParameter(f"'{path}' is neither a file nor a folder.")
    return paths


def paths(*, required: bool) -> Callable[[F], F]:
    """Declares ``paths``, existing files and folders."""
    return click.argument(
        "paths",
        nargs=-1,
        required=required,
        type=_MusicPath(exists=True, path_type=Path),
        callback=_check_paths,
        metavar="PATH..." if required else "[PATH...]",
    )


manifest = click.option(
    "--manifest",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    metavar="FILE",
    help="Add the files that FILE lists, with the metadata that it gives to them; see above.",
)
"""Declares ``manifest``, in a command with ``paths``."""


folders = click.argument(
    "paths",
    nargs=-1,
    required=True,
    type=_MusicPath(exists=True, file_okay=False, path_type=Path),
    metavar="FOLDER...",
)
"""Declares ``paths``, existing folders."""


def replace(effect: str) -> Callable[[F], F]:
    """Declares ``replace``, with its effect on the command as help."""
    return click.option("--replace", is_flag=True, help=effect)


def catalogue(command: Callable[..., None]) -> Callable[..., None]:
    """Declares the location of the catalogue and ``--json``; the command gets ``settings`` and ``output``."""
    return _declare(_CATALOGUE, command, CatalogueSettings)


def indexing(command: Callable[..., None]) -> Callable[..., None]:
    """Declares the options of a command that indexes audio; the command gets ``settings`` and ``output``."""
    return _declare(_CATALOGUE + _INDEXING + _FAILURES, command, Settings)


def watching(command: Callable[..., None]) -> Callable[..., None]:
    """Declares the options of a command that does not end by itself; the command gets ``settings`` and ``output``."""
    return _declare(_CATALOGUE + _INDEXING, command, Settings)


def _declare(
    options: tuple[Callable[[F], F], ...], command: Callable[..., None], kind: type[CatalogueSettings]
) -> Callable[..., None]:
    """Adds options to a command, which gets their values as one settings object and one of output options."""

    @wraps(command)
    def run(**values: Any) -> None:  # noqa: ANN401 - click's values have many types
        settings, output = _take(kind, values), _take(OutputOptions, values)
        command(settings=settings, output=output, **values)

    return reduce(lambda declared, option: option(declared), reversed(options), run)


def _take(kind: type[T], values: dict[str, Any]) -> T:
    """Builds an object from the values of its fields, which are removed from the dictionary."""
    return kind(**{field.name: values.pop(field.name) for field in fields(kind) if field.name in values})
