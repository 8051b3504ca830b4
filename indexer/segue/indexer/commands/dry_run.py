"""``--dry-run`` of ``segue-indexer`` add, sync, retry and reindex: counts what a run would do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from segue.core.catalogue.store import TrackStore, check_same_model
from segue.indexer.catalogue.removals import orphaned_tracks
from segue.indexer.catalogue.session import current_identity, open_with_model, require_identity
from segue.indexer.interrupt import Interrupt
from segue.indexer.pipeline.records import Missing, Source
from segue.indexer.pipeline.run_counts import RunCounts, Show
from segue.indexer.settings import Settings


@dataclass(frozen=True)
class Plan:
    """Files that a run handles.

    Attributes:
        sources: yields the files, given the catalogue.
        removes_tracks: the run removes tracks with their last file.
        changes_model: the run needs a catalogue, but any model may have built it.
    """

    sources: Callable[[TrackStore], Iterator[Source]]
    removes_tracks: bool = False
    changes_model: bool = False


def count_plan(plan: Plan, settings: Settings, counts: RunCounts, interrupt: Interrupt, show: Show) -> None:
    """Counts what a run would do, without opening an audio file or writing anything.

    The catalogue is not locked. A renamed file counts as added, as rechecked and as missing.

    Args:
        plan: files of the run.
        settings: settings of the run.
        counts: counts to update.
        interrupt: ends the count early.
        show: called with the counts after each change.

    Raises:
        SegueError: the model or the catalogue cannot be used, as in a run.
    """
    with counts.timed(), open_with_model(settings) as (store, _, manifest):
        counts.model = manifest.model_id
        if plan.changes_model:
            require_identity(store)
        else:
            check_same_model(current_identity(store), manifest.key, store.address)
        missing = list[str]()
        for source in plan.sources(store):
            if interrupt.requested():
                return
            counts.count_planned(source)
            missing.extend([source.path] if isinstance(source, Missing) else [])
            show(counts)
        if plan.removes_tracks:
            counts.removed = len(orphaned_tracks(missing, store))
        counts.tracks = store.count()
