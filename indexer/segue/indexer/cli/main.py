"""The ``segue-indexer`` command."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import click

from segue.core.catalogue.display_path import display_path
from segue.core.optional_dependencies import require_extra
from segue.core.program import Program
from segue.core.settings.version import VERSION
from segue.indexer.cli import options
from segue.indexer.cli.watch import watch
from segue.indexer.settings import CatalogueSettings, OutputOptions, Settings


@click.group(
    cls=Program,
    context_settings={"help_option_names": ["-h", "--help"], "show_default": True, "max_content_width": 120},
)
@click.version_option(VERSION)
def main() -> None:
    """Indexes a music library into Segue's catalogue, from which tracks are recommended."""
    require_extra("indexer", "hnswlib", "redis", "onnxruntime", "tinytag", "watchdog")


main.add_command(watch)


@main.command()
@options.paths(required=False)
@options.manifest
@options.indexing
@options.dry_run
@options.recheck
def add(
    *,
    paths: tuple[Path, ...],
    manifest: Path | None,
    settings: Settings,
    output: OutputOptions,
    dry_run: bool,
    recheck: bool,
) -> None:
    """Adds music files and folders to the catalogue, or the files of a manifest.

    Unchanged files are not opened again, so a second run is quick. If a file fails, it is reported, and the other files
    are added. Later runs skip a failed file until it changes, unless PATH is the file itself.

    In folders, files that are not music and system folders such as bins are left out, and counted at the end.

    A manifest gives files your own ids, titles and attributes: a JSON object on each line, such as {"path": "a.mp3",
    "external_id": "42", "attributes": {"mood": "calm", "bpm": 90}}, or CSV with a header. Run add again with a changed
    manifest to update them; no unchanged file is opened for it.

    Exits with 0 if the run finished, also if some files failed; with 1 if it could not finish, or all files are failed;
    with 2 if the command line is wrong, and with 130 after Ctrl-C. With --allow-failures N it exits with 1 if more than
    N files are failed. Files that failed in an earlier run count as well.
    """
    if (manifest is None) == (not paths):
        raise click.UsageError("Give either files and folders, or --manifest FILE.")

    from segue.indexer.cli.counting import counting  # noqa: PLC0415 - so that --help is quick
    from segue.indexer.cli.errors import reporting_errors  # noqa: PLC0415 - likewise
    from segue.indexer.cli.runner import run_with_progress  # noqa: PLC0415 - likewise
    from segue.indexer.commands import add as command  # noqa: PLC0415 - likewise
    from segue.indexer.commands.dry_run import count_plan  # noqa: PLC0415 - likewise

    with reporting_errors(output, dry_run) as counts:
        with counting(output) as show_count:
            total, plan = command.plan_run(paths, manifest, counts, show_count, recheck=recheck)
        run = partial(count_plan if dry_run else command.add, plan)
        sys.exit(run_with_progress(partial(run, settings), total, output, counts))


@main.command()
@options.paths(required=True)
@options.indexing
@options.dry_run
@options.allow_removals
@options.recheck
def sync(
    *,
    paths: tuple[Path, ...],
    settings: Settings,
    output: OutputOptions,
    dry_run: bool,
    allow_removals: bool,
    recheck: bool,
) -> None:
    """Makes the catalogue match the folders.

    Adds new files, updates changed ones, and forgets the missing ones under each PATH. A track is removed when its last
    file is forgotten; a renamed file keeps its track.

    The files of a disk that is not mounted look deleted. So sync needs --allow-removals to remove more than 20 % of the
    catalogue, or to forget the files of a PATH that now holds no music.

    A dry run does not open audio files, so it counts a renamed file as added and as removed. The exit codes are those
    of add.
    """
    from segue.indexer.cli.counting import counting  # noqa: PLC0415 - so that --help is quick
    from segue.indexer.cli.errors import reporting_errors  # noqa: PLC0415 - likewise
    from segue.indexer.cli.runner import run_with_progress  # noqa: PLC0415 - likewise
    from segue.indexer.commands import sync as command  # noqa: PLC0415 - likewise
    from segue.indexer.commands.dry_run import count_plan  # noqa: PLC0415 - likewise

    with reporting_errors(output, dry_run) as counts:
        with counting(output) as show_count:
            total = command.count_music(paths, allow_removals, counts, show_count)
        run = (
            partial(count_plan, command.plan(paths, recheck=recheck))
            if dry_run
            else partial(command.sync, paths, allow_removals=allow_removals, recheck=recheck)
        )
        sys.exit(run_with_progress(partial(run, settings), total, output, counts))


@main.command()
@options.indexing
@options.dry_run
@options.reason
def retry(*, settings: Settings, output: OutputOptions, dry_run: bool, reason: str | None) -> None:
    """Tries the failed files again.

    When add and sync find a failed file in a folder, they skip it until it changes. Use retry after you installed a
    decoder, raised a limit or upgraded Segue. The exit codes are those of add.
    """
    from segue.indexer.cli.errors import reporting_errors  # noqa: PLC0415 - so that --help is quick
    from segue.indexer.cli.runner import run_with_progress  # noqa: PLC0415 - likewise
    from segue.indexer.commands import retry as command  # noqa: PLC0415 - likewise
    from segue.indexer.commands.dry_run import count_plan  # noqa: PLC0415 - likewise

    with reporting_errors(output, dry_run) as counts:
        total = command.count_failed(settings, reason)
        run = partial(count_plan, command.plan(reason)) if dry_run else partial(command.retry, reason)
        sys.exit(run_with_progress(partial(run, settings), total, output, counts))


@main.command()
@options.indexing
@options.dry_run
@options.allow_removals
def reindex(*, settings: Settings, output: OutputOptions, dry_run: bool, allow_removals: bool) -> None:
    """Indexes the whole catalogue again with another --model.

    The old catalogue stays in use until all files are done; then the new one replaces it. To continue after Ctrl-C, run
    the same command again. When it has finished, start the servers with the new --model.

    Tracks whose files are missing or fail are lost. If more than 20 % of the catalogue would be lost, the old catalogue
    stays, unless --allow-removals is given. The exit codes are those of add.
    """
    from segue.indexer.cli.errors import reporting_errors  # noqa: PLC0415 - so that --help is quick
    from segue.indexer.cli.runner import run_with_progress  # noqa: PLC0415 - likewise
    from segue.indexer.commands import reindex as command  # noqa: PLC0415 - likewise
    from segue.indexer.commands.dry_run import count_plan  # noqa: PLC0415 - likewise

    with reporting_errors(output, dry_run) as counts:
        total = command.count_files(settings)
        run = (
            partial(count_plan, command.plan()) if dry_run else partial(command.reindex, allow_removals=allow_removals)
        )
        sys.exit(run_with_progress(partial(run, settings), total, output, counts))


@main.command()
@options.targets
@options.catalogue
@options.dry_run
def remove(*, targets: tuple[str, ...], settings: CatalogueSettings, output: OutputOptions, dry_run: bool) -> None:
    """Removes tracks, files and folders from the catalogue.

    Audio files are not touched, so a file comes back when its folder is added again. A track is removed when its last
    file is removed. If an argument matches nothing in the catalogue, the others are still removed, and the exit code is
    1.
    """
    from segue.indexer.cli.errors import reporting_errors  # noqa: PLC0415 - likewise
    from segue.indexer.cli.report import print_report, removal_summary  # noqa: PLC0415 - so that --help is quick
    from segue.indexer.commands import remove as command  # noqa: PLC0415 - likewise

    with reporting_errors(output, dry_run) as counts:
        run = command.count_removal if dry_run else command.remove
        run(targets, settings, counts)
    print_report(counts, output, removal_summary(counts))
    sys.exit(int(counts.failed > 0))


@main.command()
@options.catalogue
@options.dry_run
def rebuild(*, settings: CatalogueSettings, output: OutputOptions, dry_run: bool) -> None:
    """Rebuilds the search index from Redis.

    Use it when the index is lost or damaged. No audio file is opened. A running server loads the new index by itself.
    """
    from segue.indexer.cli.errors import reporting_errors  # noqa: PLC0415 - likewise
    from segue.indexer.cli.report import print_report, rebuild_summary  # noqa: PLC0415 - so that --help is quick
    from segue.indexer.commands import rebuild as command  # noqa: PLC0415 - likewise

    with reporting_errors(output, dry_run) as counts:
        run = command.count_rebuild if dry_run else command.rebuild
        revision = run(settings, counts)
    print_report(counts, output, rebuild_summary(counts, revision))


@main.command()
@options.backup_file
@options.catalogue
@options.dry_run
@options.replace("Overwrite an existing file.")
def backup(*, file: Path, settings: CatalogueSettings, output: OutputOptions, dry_run: bool, replace: bool) -> None:
    """Writes the whole catalogue to one FILE.

    The file contains no audio. The command restore reads it.
    """
    from segue.indexer.cli.errors import reporting_errors  # noqa: PLC0415 - likewise
    from segue.indexer.cli.report import backup_summary, print_report  # noqa: PLC0415 - so that --help is quick
    from segue.indexer.commands import backup as command  # noqa: PLC0415 - likewise

    with reporting_errors(output, dry_run) as counts:
        run = command.count_backup if dry_run else command.backup
        run(file, settings, replace, counts)
    print_report(counts, output, backup_summary(counts, display_path(file)))


@main.command()
@options.backup_file
@options.catalogue
@options.dry_run
@options.replace("Replace a catalogue that is not empty.")
def restore(*, file: Path, settings: CatalogueSettings, output: OutputOptions, dry_run: bool, replace: bool) -> None:
    """Restores the catalogue from a backup FILE.

    The current catalogue stays in use until all of FILE is in Redis. A server that is running then loads the
    restored catalogue.
    """
    from segue.indexer.cli.errors import reporting_errors  # noqa: PLC0415 - likewise
    from segue.indexer.cli.report import print_report, restore_summary  # noqa: PLC0415 - so that --help is quick
    from segue.indexer.commands import backup as command  # noqa: PLC0415 - likewise

    with reporting_errors(output, dry_run) as counts:
        run = command.count_restore if dry_run else command.restore
        run(file, settings, replace, counts)
    print_report(counts, output, restore_summary(counts, display_path(file)))


@main.command()
@options.catalogue
@options.repair
def verify(*, settings: CatalogueSettings, output: OutputOptions, repair: bool) -> None:
    """Checks that the catalogue in Redis and the search index on disk agree.

    --repair removes a track whose data is missing or damaged; add its file again to index it. The exit code is 1 if
    problems remain.
    """
    from segue.indexer.cli.errors import reporting_errors  # noqa: PLC0415 - likewise
    from segue.indexer.cli.report import print_verdict  # noqa: PLC0415 - so that --help is quick
    from segue.indexer.commands.verify import verify as run  # noqa: PLC0415 - likewise

    with reporting_errors(output) as counts:
        verdict = run(settings, repair, counts)
    print_verdict(verdict, counts, output)
    sys.exit(int(bool(verdict.remaining)))


@main.command()
@options.catalogue
@options.failures
def status(*, settings: CatalogueSettings, output: OutputOptions, failures: bool) -> None:
    """Shows the size, model, index and failures of the catalogue."""
    from segue.indexer.cli.errors import reporting_errors  # noqa: PLC0415 - likewise
    from segue.indexer.cli.report import print_status  # noqa: PLC0415 - so that --help is quick
    from segue.indexer.commands.status import read_status  # noqa: PLC0415 - likewise

    with reporting_errors(output):
        print_status(read_status(settings, list_failures=failures), output)
