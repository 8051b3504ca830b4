"""``segue-indexer sync``: makes the catalogue match the folders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from segue.core.catalogue.store import TrackStore
from segue.core.errors import RemovalRefused
from segue.indexer.catalogue.publish import conclude
from segue.indexer.catalogue.removals import gone, orphaned
from segue.indexer.catalogue.session import assemble
from segue.indexer.commands.add import take
from segue.indexer.interrupt import Interrupt
from segue.indexer.pipeline.run_counts import MOST_REMOVED, Tally
from segue.indexer.pipeline.scan import absolute
from segue.indexer.settings import Settings
from segue.indexer.text import display_path, escape_control_characters


def sync(
    paths: Sequence[Path],
    settings: Settings,
    tally: Tally,
    interrupt: Interrupt,
    show: Callable[[Tally], None],
    *,
    allow_removals: bool = False,
) -> None:
    """Does what ``add`` does, then forgets the files under ``paths`` that are gone, and publishes the index.

    New files come first, so that a renamed file's track has its new path before it loses the old one.

    Args:
        paths: files and folders; the catalogue keeps what lies elsewhere.
        settings: where the catalogue is, and what hears.
        tally: counts what is done; it stands also when the run fails.
        interrupt: ends the run early; what was heard by then is committed and published, and nothing is forgotten.
        show: called with the tally whenever it has changed.
        allow_removals: remove however many tracks have no file any more.

    Raises:
        RemovalRefused: more than ``MOST_REMOVED`` of the tracks would go; what was added is added and published.
        SegueError: the catalogue, the model or the index cannot be used.
    """
    with tally.timed(), assemble(settings) as parts:
        before = parts.store.revision()
        take(paths, parts, tally, interrupt, show)
        missing = (
            set[str]() if interrupt.came() else gone([display_path(absolute(path)) for path in paths], parts.store)
        )
        refusal = None if allow_removals else _too_many(missing, parts.store)
        if refusal is None:
            parts.writer.forget(sorted(missing))
            tally.forgotten = len(missing)
        conclude(settings.data, parts.store, parts.writer, before, tally)
        if refusal is not None:
            raise refusal


def _too_many(missing: set[str], store: TrackStore) -> RemovalRefused | None:
    """Why so many tracks are not to be removed, or None where they may be."""
    orphans, tracks = len(orphaned(missing, store)), store.count()
    if orphans <= MOST_REMOVED * tracks:
        return None
    example, share = escape_control_characters(min(missing)), f"{100 * MOST_REMOVED:.0f} %"
    return RemovalRefused(
        f"{orphans:,} of the {tracks:,} tracks in the catalogue have no file any more: {example} is gone, for example. "
        f"More than {share} at once looks like a disk that is not mounted, so none was removed. Mount it, "
        "or run the same command with --allow-removals if they are gone for good."
    )
