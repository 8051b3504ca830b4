"""The ``segue-indexer`` command."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import click

from segue.core.optional_dependencies import require_extra
from segue.indexer.cli import options
from segue.indexer.settings import OutputOptions, Settings


@click.group(context_settings={"show_default": True, "max_content_width": 120})
@click.version_option(package_name="segue")
def main() -> None:
    """Takes music into Segue's catalogue, so that it can be recommended."""
    require_extra("indexer", "hnswlib", "redis", "tensorflow", "tinytag")


@main.command()
@options.paths
@options.hearing
@options.dry_run
def add(*, paths: tuple[Path, ...], settings: Settings, output: OutputOptions, dry_run: bool) -> None:
    """Adds the music under each PATH, a file or a folder, to the catalogue.

    Files that are as they were when they were added are not opened again, so it costs little to run this again. A file
    that cannot be used is told, and the others are added; later runs skip it until it changes, unless it is itself a
    PATH. Exits with 0 if no more files failed than --allow-failures takes, with 1 if more did or the run could not be
    done, with 2 if the command is wrong, and with 130 after Ctrl-C.
    """
    from segue.indexer.cli.runner import reporting_errors, run_with_progress  # noqa: PLC0415 - likewise
    from segue.indexer.commands.add import add as run  # noqa: PLC0415 - so that --help is quick
    from segue.indexer.commands.dry_run import survey  # noqa: PLC0415 - likewise

    with reporting_errors(output.as_json) as counts:
        total = _count(paths)
        if total == 0:
            raise _no_music(paths, "Name another folder, or the files themselves.")
        work = partial(survey if dry_run else run, paths, settings)
        sys.exit(run_with_progress(work, total, output, counts))


@main.command()
@options.paths
@options.hearing
@options.dry_run
@options.allow_removals
def sync(
    *, paths: tuple[Path, ...], settings: Settings, output: OutputOptions, dry_run: bool, allow_removals: bool
) -> None:
    """Makes the catalogue match the folders: does what add does, and forgets the files under each PATH that are gone.

    A track goes with its last file; a renamed file is the same track still. Since an unmounted disk looks like a
    deletion, more than 20 % of the catalogue is only removed with --allow-removals, and so is all that is under a PATH
    without music. A dry run opens no file: it counts a renamed one as added and as removed. Exits as add does.
    """
    from segue.indexer.cli.runner import reporting_errors, run_with_progress  # noqa: PLC0415 - so that --help is quick
    from segue.indexer.commands.dry_run import survey  # noqa: PLC0415 - likewise
    from segue.indexer.commands.sync import sync as run  # noqa: PLC0415 - likewise

    with reporting_errors(output.as_json) as counts:
        total = _count(paths)
        if not allow_removals and (empty := _without_music(paths)):
            raise _no_music(empty, "Mount the disk, or say --allow-removals to have all under it removed.")
        work = (
            partial(survey, paths, settings, matching=True)
            if dry_run
            else partial(run, paths, settings, allow_removals=allow_removals)
        )
        sys.exit(run_with_progress(work, total, output, counts))


@main.command()
@options.hearing
@options.dry_run
@click.option("--reason", metavar="REASON", help="Only what failed for this reason, as status names it.")
def retry(*, settings: Settings, output: OutputOptions, dry_run: bool, reason: str | None) -> None:
    """Hears what failed before once more, since add and sync pass over a bad file until it changes.

    For files that a new decoder, more memory or another Segue may make something of. Exits as add does.
    """
    from segue.indexer.cli.runner import reporting_errors, run_with_progress  # noqa: PLC0415 - likewise
    from segue.indexer.commands.retry import count_failed, rehearse  # noqa: PLC0415 - so that --help is quick
    from segue.indexer.commands.retry import retry as run  # noqa: PLC0415 - likewise

    with reporting_errors(output.as_json) as counts:
        work = partial(rehearse if dry_run else run, settings, reason)
        sys.exit(run_with_progress(work, count_failed(settings, reason), output, counts))


@main.command()
@options.hearing
@options.dry_run
@options.allow_removals
def reindex(*, settings: Settings, output: OutputOptions, dry_run: bool, allow_removals: bool) -> None:
    """Hears every file of the catalogue again with --model, and replaces the catalogue by what comes of it.

    The old catalogue stays as it is, and is answered from, until all is heard; Ctrl-C keeps what was heard, and the
    same command goes on. Then start the servers with the new model. More than 20 % of the tracks are only lost with
    --allow-removals. Exits as add does.
    """
    from segue.indexer.cli.runner import reporting_errors, run_with_progress  # noqa: PLC0415 - likewise
    from segue.indexer.commands.reindex import count_files, rehearse_reindex  # noqa: PLC0415 - so that --help is quick
    from segue.indexer.commands.reindex import reindex as run  # noqa: PLC0415 - likewise

    with reporting_errors(output.as_json) as counts:
        work = partial(rehearse_reindex, settings) if dry_run else partial(run, settings, allow_removals=allow_removals)
        sys.exit(run_with_progress(work, count_files(settings), output, counts))


@main.command()
@click.argument("targets", nargs=-1, required=True, metavar="TRACK_ID|PATH...")
@options.catalogue
@options.dry_run
def remove(*, targets: tuple[str, ...], data: Path, redis: str | None, as_json: bool, dry_run: bool) -> None:
    """Removes tracks, files, and everything under folders from the catalogue; the music itself is not touched.

    A track goes with its last file. What still lies in a folder comes back when that folder is added again. Exits with
    1 if nothing in the catalogue answers to one of the names; the others are removed.
    """
    from segue.indexer.cli.report import finish, removal  # noqa: PLC0415 - likewise
    from segue.indexer.cli.runner import reporting_errors  # noqa: PLC0415 - likewise
    from segue.indexer.commands.remove import remove as run  # noqa: PLC0415 - so that --help is quick

    with reporting_errors(as_json, dry_run) as counts:
        run(targets, data, redis, counts)
    finish(counts, as_json, quiet=False, summary=removal(counts))
    sys.exit(int(counts.failed > 0))


@main.command()
@options.catalogue
@options.dry_run
def rebuild(*, data: Path, redis: str | None, as_json: bool, dry_run: bool) -> None:
    """Makes the index again from Redis alone, and publishes it; no music is opened.

    For an index that was lost or damaged; a server goes over to the new one by itself.
    """
    from segue.indexer.cli.report import finish, renewal  # noqa: PLC0415 - likewise
    from segue.indexer.cli.runner import reporting_errors  # noqa: PLC0415 - likewise
    from segue.indexer.commands.rebuild import rebuild as run  # noqa: PLC0415 - so that --help is quick

    with reporting_errors(as_json, dry_run) as counts:
        revision = run(data, redis, counts)
    finish(counts, as_json, quiet=False, summary=renewal(counts, revision))


@main.command()
@options.backup_file
@options.catalogue
@options.dry_run
@click.option("--replace", is_flag=True, help="Replace the file if it is there already.")
def backup(*, file: Path, data: Path, redis: str | None, as_json: bool, dry_run: bool, replace: bool) -> None:
    """Writes all that the catalogue knows into one FILE, from which restore makes it again; no music is in it."""
    from segue.indexer.cli.report import finish, kept  # noqa: PLC0415 - likewise
    from segue.indexer.cli.runner import reporting_errors  # noqa: PLC0415 - likewise
    from segue.indexer.commands.backup import backup as run  # noqa: PLC0415 - so that --help is quick

    with reporting_errors(as_json, dry_run) as counts:
        run(file, data, redis, replace, counts)
    finish(counts, as_json, quiet=False, summary=kept(counts, f"written to {file}"))


@main.command()
@options.backup_file
@options.catalogue
@options.dry_run
@click.option("--replace", is_flag=True, help="Replace a catalogue that is not empty.")
def restore(*, file: Path, data: Path, redis: str | None, as_json: bool, dry_run: bool, replace: bool) -> None:
    """Makes the catalogue of a backup FILE and its index; it has a UUID of its own: servers read it anew.

    The catalogue that there is stays as it is until all of FILE is in Redis.
    """
    from segue.indexer.cli.report import finish, kept  # noqa: PLC0415 - likewise
    from segue.indexer.cli.runner import reporting_errors  # noqa: PLC0415 - likewise
    from segue.indexer.commands.backup import restore as run  # noqa: PLC0415 - so that --help is quick

    with reporting_errors(as_json, dry_run) as counts:
        run(file, data, redis, replace, counts)
    finish(counts, as_json, quiet=False, summary=kept(counts, f"restored from {file}"))


@main.command()
@options.catalogue
@click.option("--repair", is_flag=True, help="Mend what can be mended.")
def verify(*, data: Path, redis: str | None, as_json: bool, repair: bool) -> None:
    """Looks whether Redis, its events and the snapshots agree.

    What was lost cannot be made up: --repair removes a track of which something is missing or damaged, and its file is
    heard again when it is added again. Exits with 1 if something does not agree, or could not be mended.
    """
    from segue.indexer.cli.runner import reporting_errors  # noqa: PLC0415 - so that --help is quick
    from segue.indexer.commands.verify import print_verdict  # noqa: PLC0415 - likewise
    from segue.indexer.commands.verify import verify as run  # noqa: PLC0415 - likewise

    with reporting_errors(as_json) as counts:
        verdict = run(data, redis, repair, counts)
    print_verdict(verdict, counts, as_json)
    sys.exit(int(bool(verdict.left)))


@main.command()
@options.catalogue
@click.option("--failures", is_flag=True, help="Name every file that failed.")
def status(*, data: Path, redis: str | None, as_json: bool, failures: bool) -> None:
    """Shows what is in the catalogue, and how many files failed for which reason."""
    from segue.indexer.cli.runner import reporting_errors  # noqa: PLC0415 - so that --help is quick
    from segue.indexer.commands.status import print_status  # noqa: PLC0415 - likewise

    with reporting_errors(as_json):
        print_status(data, redis, as_json, failures)


def _count(paths: tuple[Path, ...]) -> int:
    """How many files there are to deal with; a wrong path is told before anything is started."""
    from segue.indexer.pipeline.scan import find_music  # noqa: PLC0415 - so that --help is quick

    for path in paths:
        if not path.is_dir() and not path.is_file():
            raise click.BadParameter(f"'{path}' is neither a file nor a folder.", param_hint="'PATH...'")
    return sum(1 for _ in find_music(paths))


def _no_music(paths: Sequence[Path], advice: str) -> Exception:
    """There is no music under these paths: that is nearly always a wrong path."""
    from segue.core.errors import NoMusic  # noqa: PLC0415 - so that --help is quick
    from segue.indexer.pipeline.scan import ENDINGS  # noqa: PLC0415 - likewise

    where = ", ".join(map(str, paths))
    return NoMusic(f"There is no music under {where}: no file there ends in {', '.join(sorted(ENDINGS))}. {advice}")


def _without_music(paths: Sequence[Path]) -> list[Path]:
    from segue.indexer.pipeline.scan import find_music  # noqa: PLC0415 - so that --help is quick

    return [path for path in paths if next(find_music([path]), None) is None]
