"""The ``segue-indexer`` command."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from segue.core.artifact import default_model
from segue.core.connect import default_data_folder
from segue.core.errors import SegueError

Command = TypeVar("Command", bound=Callable[..., Any])

_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.group(context_settings={"show_default": True, "max_content_width": 120})
@click.version_option(package_name="segue")
def main() -> None:
    """Takes music into Segue's catalogue, so that it can be recommended."""


def _catalogue_options(command: Command) -> Command:
    """The options that say where the catalogue is."""
    options = (
        click.option(
            "--data",
            type=_FOLDER,
            default=default_data_folder,
            show_default="segue in your own data folder",
            envvar="SEGUE_DATA",
            help="Where Segue keeps its state; share it with segue-server.",
        ),
        click.option(
            "--redis", envvar="SEGUE_REDIS", help="URL of a Redis server.  [default: a private one in --data]"
        ),
        click.option("--json", "as_json", is_flag=True, help="Print one JSON document, for programs."),
    )
    for option in reversed(options):
        command = option(command)
    return command


_dry_run = click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")


@main.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path), metavar="PATH...")
@_catalogue_options
@click.option(
    "--model",
    type=_FOLDER,
    default=default_model,
    show_default="the one that ships",
    envvar="SEGUE_MODEL",
    help="The artifact that hears the music.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1, 256),
    default=lambda: os.cpu_count() or 1,
    show_default="one for each core",
    envvar="SEGUE_JOBS",
    help="How many files are decoded at once.",
)
@click.option(
    "--allow-failures", type=click.IntRange(0), default=0, metavar="N", help="Exit with 0 if at most N files fail."
)
@click.option("--quiet", is_flag=True, help="Say nothing but what failed.")
def add(
    *,
    paths: tuple[Path, ...],
    data: Path,
    redis: str | None,
    model: Path,
    jobs: int,
    allow_failures: int,
    as_json: bool,
    quiet: bool,
) -> None:
    """Adds the music under each PATH, a file or a folder, to the catalogue.

    Files that are as they were when they were added are not opened again, so it costs little to run this again. A file
    that cannot be used is named, and the others are added. Exits with 0 if no more files failed than --allow-failures
    takes, with 1 if more did or the run could not be done, with 2 if the command is wrong, and with 130 after Ctrl-C.
    """
    from segue.indexer.add import add as run  # noqa: PLC0415 - so that --help is quick
    from segue.indexer.bootstrap import Settings  # noqa: PLC0415 - likewise
    from segue.indexer.interrupt import Interrupt  # noqa: PLC0415 - likewise
    from segue.indexer.report import finish, progress  # noqa: PLC0415 - likewise
    from segue.indexer.tally import Tally  # noqa: PLC0415 - likewise

    tally = Tally()
    with _told(), Interrupt() as interrupt:
        total = _count(paths)
        try:
            with progress(total, quiet) as show:
                run(paths, Settings(data, redis, model, jobs), tally, interrupt, show)
        except (SegueError, OSError):
            if tally.done and not as_json:
                finish(tally, as_json, quiet)
            raise
        finish(tally, as_json, quiet)
    if interrupt.signal is not None:
        click.echo(
            f"Stopped after {tally.done} of {total} files. What was done is kept: run the same command again to go on.",
            err=True,
        )
        sys.exit(128 + interrupt.signal)
    sys.exit(int(tally.failed > allow_failures))


@main.command()
@click.argument("targets", nargs=-1, required=True, metavar="TRACK_ID|PATH...")
@_catalogue_options
@_dry_run
def remove(*, targets: tuple[str, ...], data: Path, redis: str | None, as_json: bool, dry_run: bool) -> None:
    """Removes tracks, files, and everything under folders from the catalogue; the music itself is not touched.

    A track goes with its last file. What still lies in a folder comes back when that folder is added again. Exits with
    1 if nothing in the catalogue answers to one of the names; the others are removed.
    """
    from segue.indexer.remove import remove as run  # noqa: PLC0415 - so that --help is quick
    from segue.indexer.report import finish, removal  # noqa: PLC0415 - likewise
    from segue.indexer.tally import Tally  # noqa: PLC0415 - likewise

    tally = Tally()
    with _told():
        run(targets, data, redis, tally, dry_run)
    finish(tally, as_json, quiet=False, summary=removal(tally, dry_run))
    sys.exit(int(tally.failed > 0))


@main.command()
@_catalogue_options
def rebuild(*, data: Path, redis: str | None, as_json: bool) -> None:
    """Makes the index again from Redis alone, and publishes it; no music is opened.

    For an index that was lost or damaged; a server goes over to the new one by itself.
    """
    from segue.indexer.rebuild import rebuild as run  # noqa: PLC0415 - so that --help is quick
    from segue.indexer.report import finish  # noqa: PLC0415 - likewise
    from segue.indexer.tally import Tally  # noqa: PLC0415 - likewise

    tally = Tally()
    with _told():
        header = run(data, redis, tally)
    made = f"The index of revision {header.revision} is published: {header.tracks} tracks, in {tally.seconds:.1f} s."
    finish(tally, as_json, quiet=False, summary=made)


@main.command()
@_catalogue_options
def status(*, data: Path, redis: str | None, as_json: bool) -> None:
    """Shows what is in the catalogue."""
    from segue.indexer.status import print_status  # noqa: PLC0415 - so that --help is quick

    with _told():
        print_status(data, redis, as_json)


@contextmanager
def _told() -> Iterator[None]:
    """Turns what went wrong into a sentence and an exit code."""
    try:
        yield
    except (SegueError, OSError) as error:
        click.echo(f"segue-indexer: {error}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        click.echo("Stopped at once. What was committed is kept: run the same command again to go on.", err=True)
        sys.exit(130)


def _count(paths: tuple[Path, ...]) -> int:
    """How many files there are to deal with; a wrong path is told before anything is started."""
    from segue.indexer.sources import ENDINGS, find_music  # noqa: PLC0415 - so that --help is quick

    for path in paths:
        if not path.is_dir() and not path.is_file():
            raise click.BadParameter(f"'{path}' is neither a file nor a folder.", param_hint="'PATH...'")
    total = sum(1 for _ in find_music(paths))
    if total == 0:
        where = ", ".join(map(str, paths))
        click.echo(
            f"segue-indexer: There is no music under {where}: no file there ends in {', '.join(sorted(ENDINGS))}. "
            "Name another folder, or the files themselves.",
            err=True,
        )
        sys.exit(1)
    return total
