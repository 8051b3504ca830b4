"""The command ``segue-indexer watch``."""

from __future__ import annotations

from pathlib import Path

import click

from segue.core.settings.options import SettingOption
from segue.indexer.cli import options
from segue.indexer.settings import OutputOptions, Settings


@click.command()
@options.folders
@options.watching
@click.option(
    "--settle",
    cls=SettingOption,
    type=click.FloatRange(0.1, 3600),
    default=2.0,
    metavar="SECONDS",
    help="Seconds for which size and time of a file must stay the same before it is indexed, 0.1 to 3,600.",
)
@click.option(
    "--poll",
    cls=SettingOption,
    type=click.FloatRange(1, 86_400),
    metavar="SECONDS",
    help="Walk through the folders every so many seconds, 1 to 86,400, for network shares, where the system does not "
    "notify of changes.  [default: be notified]",
)
def watch(
    *, paths: tuple[Path, ...], settings: Settings, output: OutputOptions, settle: float, poll: float | None
) -> None:
    """Keeps the catalogue in step with folders until Ctrl-C.

    First makes the catalogue match each FOLDER, as sync does. Then files that appear, change, move or disappear are
    applied as they come. A new file can be recommended some 4 s after it was copied completely: a file is indexed when
    it has not changed for --settle seconds.

    As with sync, the files of a disk that is not mounted are not removed. The catalogue is locked while changes are
    written, and free in between: add and the other commands can run meanwhile, and watch waits for them.

    Exits with 0 after Ctrl-C or SIGTERM, and with 1 if it cannot watch.
    """
    from segue.indexer.cli.errors import reporting_errors  # noqa: PLC0415 - so that --help is quick
    from segue.indexer.cli.watch_report import LineReport  # noqa: PLC0415 - likewise
    from segue.indexer.commands import watch as command  # noqa: PLC0415 - likewise
    from segue.indexer.interrupt import Interrupt  # noqa: PLC0415 - likewise

    report = LineReport(output)
    with reporting_errors(output, in_one_line=True), Interrupt() as interrupt:
        report.ended(command.watch(paths, settings, command.WatchOptions(settle, poll), interrupt, report))
