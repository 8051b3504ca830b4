"""``segue-indexer add``: adds music to the catalogue and publishes its index."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from segue.indexer.catalogue.publish import finish_run
from segue.indexer.catalogue.session import open_session
from segue.indexer.commands.dry_run import Plan
from segue.indexer.interrupt import Interrupt
from segue.indexer.pipeline.manifest import Manifest
from segue.indexer.pipeline.run_counts import RunCounts, Show, ShowCount
from segue.indexer.pipeline.scan import count_music_under, music_under, no_music
from segue.indexer.settings import Settings


def count_music(paths: Sequence[Path], counts: RunCounts, show: ShowCount = lambda _count: None) -> int:
    """Counts the music files under the paths.

    Args:
        paths: files and folders.
        counts: counts to update, of what is left out.
        show: called with the number of files so far.

    Raises:
        NoMusic: there is none, which nearly always means a wrong path.
    """
    total = count_music_under(paths, counts.left_out, show)
    if total == 0:
        raise no_music(paths, "Give another folder, or the files themselves.")
    return total


def plan(paths: Sequence[Path], *, recheck: bool = False) -> Plan:
    """Returns the plan of ``add``: the music under the paths."""
    return Plan(partial(music_under, paths, recheck=recheck))


def plan_manifest(manifest: Manifest, *, recheck: bool = False) -> Plan:
    """Returns the plan of ``add --manifest``: the files of the manifest."""
    return Plan(partial(manifest.sources, recheck=recheck))


def plan_run(
    paths: Sequence[Path], manifest: Path | None, counts: RunCounts, show: ShowCount, *, recheck: bool
) -> tuple[int, Plan]:
    """Returns the number of files of a run, and its plan.

    Args:
        paths: files and folders, unless there is a manifest.
        manifest: path of the manifest, or None.
        counts: counts to update, of what is left out.
        show: called with the number of files so far.
        recheck: read all indexed files again.

    Raises:
        NoMusic: there is none under the paths.
        ManifestUnusable: the manifest cannot be used as a whole.
    """
    if manifest is None:
        return count_music(paths, counts, show), plan(paths, recheck=recheck)
    listed = Manifest(manifest, show)
    return listed.count, plan_manifest(listed, recheck=recheck)


def add(
    plan: Plan,
    settings: Settings,
    counts: RunCounts,
    interrupt: Interrupt,
    show: Show,
) -> None:
    """Adds the music of a plan to the catalogue, and publishes the index unless the newest one is current.

    Args:
        plan: the files, from ``plan`` or ``plan_manifest``.
        settings: settings of the run.
        counts: counts to update; they are valid also when the run fails.
        interrupt: ends the run early; the batch at hand is committed and published.
        show: called with the counts after each change.

    Raises:
        SegueError: the catalogue, the model or the index cannot be used.
    """
    with counts.timed(), open_session(settings) as session:
        before = session.store.revision()
        session.index_files(plan.sources(session.store), counts, interrupt, show)
        finish_run(settings.data, session.store, session.writer, before, counts)
