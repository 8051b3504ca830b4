"""``segue-indexer watch``: keeps the catalogue in step with folders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from segue.indexer.catalogue.session import open_sessions
from segue.indexer.interrupt import Interrupt
from segue.indexer.settings import Settings
from segue.indexer.watching.batches import Batches
from segue.indexer.watching.folders import WatchedFolders
from segue.indexer.watching.publication import Publication
from segue.indexer.watching.report import WatchReport, WatchTotals
from segue.indexer.watching.settling import Settling
from segue.indexer.watching.watcher import Watcher


@dataclass(frozen=True)
class WatchOptions:
    """Options of a watch.

    Attributes:
        settle_seconds: seconds for which a file must stay the same before it is indexed.
        poll_seconds: seconds between walks through the folders; None to be notified of changes instead.
    """

    settle_seconds: float
    poll_seconds: float | None


def watch(
    paths: Sequence[Path], settings: Settings, options: WatchOptions, interrupt: Interrupt, report: WatchReport
) -> WatchTotals:
    """Makes the catalogue match the folders as ``sync`` does, and then applies each change, until it is interrupted.

    The catalogue is locked for one batch of changes at a time. An error that may pass is reported and repeated.

    Args:
        paths: folders.
        settings: settings of the run.
        options: how to watch.
        interrupt: ends the watch.
        report: shows what happens.

    Returns:
        Sums over all batches.

    Raises:
        SegueError: the model cannot be used, Redis does not answer at the start, or the folders cannot be watched.
    """
    folders, settling, publication = WatchedFolders(paths), Settling(options.settle_seconds), Publication()
    batches = Batches(settings.data, folders, settling, publication, report, interrupt)
    with open_sessions(settings) as sessions:
        Watcher(folders, settling, batches, publication, report, options.poll_seconds).run(sessions, interrupt)
    return batches.totals
