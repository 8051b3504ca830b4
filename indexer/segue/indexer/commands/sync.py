"""``segue-indexer sync``: makes the catalogue match the folders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from segue.core.catalogue.store import TrackStore
from segue.core.errors import RemovalRefused
from segue.indexer.catalogue.publish import finish_run
from segue.indexer.catalogue.removals import missing_files, orphaned_tracks
from segue.indexer.catalogue.session import open_session
from segue.indexer.commands.add import take
from segue.indexer.interrupt import Interrupt
from segue.indexer.pipeline.run_counts import MAX_REMOVED_SHARE, RunCounts, Show
from segue.indexer.pipeline.scan import absolute
from segue.indexer.settings import Settings
from segue.indexer.text import display_path, escape_control_characters


def sync(
    paths: Sequence[Path],
    settings: Settings,
    counts: RunCounts,
    interrupt: Interrupt,
    show: Show,
    *,
    allow_removals: bool = False,
) -> None:
    """Does what ``add`` does, then forgets the files under ``paths`` that are gone, and publishes the index.

    New files come first, so that a renamed file's track has its new path before it loses the old one.

    Args:
        paths: files and folders; the catalogue keeps what lies elsewhere.
        settings: where the catalogue is, and what hears.
        counts: counts what is done; it stands also when the run fails.
        interrupt: ends the run early; what was heard by then is committed and published, and nothing is forgotten.
        show: called with the counts whenever it has changed.
        allow_removals: remove however many tracks have no file any more.

    Raises:
        RemovalRefused: more than ``MAX_REMOVED_SHARE`` of the tracks would go; what was added is added and published.
        SegueError: the catalogue, the model or the index cannot be used.
    """
    with counts.timed(), open_session(settings) as session:
        before = session.store.revision()
        take(paths, session, counts, interrupt, show)
        missing = (
            set[str]()
            if interrupt.requested()
            else missing_files([display_path(absolute(path)) for path in paths], session.store)
        )
        refusal = None if allow_removals else _too_many(missing, session.store)
        if refusal is None:
            session.writer.forget(sorted(missing))
            counts.forgotten = len(missing)
        finish_run(settings.data, session.store, session.writer, before, counts)
        if refusal is not None:
            raise refusal


def _too_many(missing: set[str], store: TrackStore) -> RemovalRefused | None:
    """Why so many tracks are not to be removed, or None where they may be."""
    orphans, tracks = len(orphaned_tracks(missing, store)), store.count()
    if orphans <= MAX_REMOVED_SHARE * tracks:
        return None
    example, share = escape_control_characters(min(missing)), f"{100 * MAX_REMOVED_SHARE:.0f} %"
    return RemovalRefused(
        f"{orphans:,} of the {tracks:,} tracks in the catalogue have no file any more: {example} is gone, for example. "
        f"More than {share} at once looks like a disk that is not mounted, so none was removed. Mount it, "
        "or run the same command with --allow-removals if they are gone for good."
    )
