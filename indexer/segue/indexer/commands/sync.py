"""``segue-indexer sync``: makes the catalogue match the folders."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from segue.core.catalogue.display_path import display_path
from segue.core.catalogue.store import TrackStore
from segue.indexer.catalogue.publish import finish_run
from segue.indexer.catalogue.removals import missing_files, removal_refusal
from segue.indexer.catalogue.session import open_session
from segue.indexer.commands.dry_run import Plan
from segue.indexer.interrupt import Interrupt
from segue.indexer.pipeline.records import Missing, Source
from segue.indexer.pipeline.run_counts import RunCounts, Show, ShowCount
from segue.indexer.pipeline.scan import absolute, count_music_under, find_music, may_exist, music_under, no_music
from segue.indexer.settings import Settings

_ADVICE = "Mount the disk, or run the same command with --allow-removals if the files are gone for good."


def count_music(
    paths: Sequence[Path], allow_removals: bool, counts: RunCounts, show: ShowCount = lambda _count: None
) -> int:
    """Counts the music files under the paths.

    Args:
        paths: files and folders.
        allow_removals: accept paths without music.
        counts: counts to update, of what is left out.
        show: called with the number of files so far.

    Raises:
        NoMusic: there is none under one of the paths, and removals are not allowed.
    """
    total = count_music_under(paths, counts.left_out, show)
    empty = [] if allow_removals else [path for path in paths if next(find_music([path]), None) is None]
    if empty:
        raise no_music(empty, "Mount the disk, or use --allow-removals to remove all files under it.")
    return total


def plan(paths: Sequence[Path], *, recheck: bool = False) -> Plan:
    """Returns the plan of ``sync``: the music under the paths, then the missing files."""
    return Plan(partial(_sources, paths, recheck), removes_tracks=True)


def _sources(paths: Sequence[Path], recheck: bool, store: TrackStore) -> Iterator[Source]:
    yield from music_under(paths, store, recheck=recheck)
    yield from map(Missing, sorted(missing_files([display_path(absolute(path)) for path in paths], store)))


def sync(
    paths: Sequence[Path],
    settings: Settings,
    counts: RunCounts,
    interrupt: Interrupt,
    show: Show,
    *,
    allow_removals: bool = False,
    recheck: bool = False,
) -> None:
    """Adds the music under ``paths`` as ``add`` does, forgets the missing files there, and publishes the index.

    New files are added first, so that the track of a renamed file gets its new path before it loses the old one.

    Args:
        paths: files and folders; files elsewhere stay in the catalogue.
        settings: settings of the run.
        counts: counts to update; they are valid also when the run fails.
        interrupt: ends the run early; the batch at hand is committed and published, and no file is forgotten.
        show: called with the counts after each change.
        allow_removals: remove tracks without a file, however many.
        recheck: read all indexed files again.

    Raises:
        RemovalRefused: more than ``MAX_REMOVED_PERCENT`` of the tracks would be removed; additions are published.
        SegueError: the catalogue, the model or the index cannot be used.
    """
    with counts.timed(), open_session(settings) as session:
        before = session.store.revision()
        missing = session.index_files(plan(paths, recheck=recheck).sources(session.store), counts, interrupt, show)
        # Decoding takes long, so a file may be back.
        missing = [] if interrupt.requested() else [path for path in missing if not may_exist(path)]
        refusal = None if allow_removals else removal_refusal(missing, session.store, _ADVICE)
        if refusal is None:
            session.writer.forget(missing)
            counts.forgotten = len(missing)
        finish_run(settings.data, session.store, session.writer, before, counts)
        if refusal is not None:
            raise refusal
