"""``segue-indexer reindex``: hears everything again with another model."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from segue.core.catalogue.store import TrackStore
from segue.core.errors import RemovalRefused
from segue.core.redis_catalogue.open import open_store
from segue.indexer.catalogue.publish import publish_index
from segue.indexer.catalogue.removals import orphaned_tracks
from segue.indexer.catalogue.session import open_staging_session, require_identity
from segue.indexer.commands.retry import failed_paths
from segue.indexer.interrupt import Interrupt
from segue.indexer.pipeline.pipeline import Pipeline
from segue.indexer.pipeline.run_counts import MAX_REMOVED_SHARE, RunCounts, Show
from segue.indexer.pipeline.scan import classify_files, find_file
from segue.indexer.settings import Settings
from segue.indexer.text import display_path


def count_files(settings: Settings) -> int:
    """How many files there are to hear.

    Raises:
        StoreUnavailable: Redis does not answer.
    """
    with open_store(settings.data, settings.redis_url) as store:
        return len(_paths(store))


def reindex(
    settings: Settings,
    counts: RunCounts,
    interrupt: Interrupt,
    show: Show,
    *,
    allow_removals: bool = False,
) -> None:
    """Hears every file of the catalogue with ``settings.model``, and puts the catalogue of that in its place.

    The new one is made beside the old one, which is locked and stays as it is until all is heard. What a run that was
    ended early has heard, the next one does not hear again.

    Args:
        settings: where the catalogue is, and what hears.
        counts: counts what is done; it stands also when the run fails. A file that is gone is forgotten.
        interrupt: ends the run early; what was heard by then is kept beside the catalogue.
        show: called with the counts whenever it has changed.
        allow_removals: replace the catalogue however many tracks fewer the new one has.

    Raises:
        CatalogueEmpty: there is nothing to hear again.
        RemovalRefused: the new catalogue would have so many tracks fewer that it looks like a disk that is away.
        SegueError: the catalogue, the model or the index cannot be used.
    """
    with counts.timed(), open_staging_session(settings) as (store, writer, session):
        paths = _paths(store)
        there = [path for text in paths if (path := _found(text)) is not None]
        pipeline = Pipeline(session.workers, session.predictor, session.writer, counts, show)
        pipeline.run(classify_files(there, session.store), interrupt.requested)
        if interrupt.requested():
            return
        # What left the catalogue or its folder since an earlier run heard it is not to come back.
        left = set(_paths(session.store)).difference(map(display_path, there))
        counts.forgotten = len(paths) - len(there)
        counts.removed = max(0, store.count() - session.store.count() + len(orphaned_tracks(left, session.store)))
        if counts.removed > MAX_REMOVED_SHARE * store.count() and not allow_removals:
            raise _refusal(counts.removed, store.count())
        session.writer.forget(sorted(left))
        writer.switch()
        publish_index(settings.data, store, writer)
        counts.tracks = store.count()


def rehearse_reindex(settings: Settings, counts: RunCounts, interrupt: Interrupt, show: Show) -> None:
    """Counts what ``reindex`` would hear from the beginning; no file is opened, and nothing is written.

    Raises:
        SegueError: as ``reindex`` would.
    """
    counts.dry_run = True
    with counts.timed(), open_store(settings.data, settings.redis_url) as store:
        require_identity(store)
        for text in _paths(store):
            if interrupt.requested():
                return
            found = _found(text) is not None
            counts.added += found
            counts.forgotten += not found
            show(counts)
        counts.tracks = store.count()


def _paths(store: TrackStore) -> list[str]:
    """Every file that the catalogue knows, good or bad."""
    return sorted({*(file.path for file in store.all_files()), *failed_paths(store, None)})


def _found(text: str) -> Path | None:
    """The file, or None where it is gone; one whose disk does not answer fails when it is opened."""
    with suppress(OSError):
        return find_file(text)
    return Path(text)


def _refusal(removed: int, tracks: int) -> RemovalRefused:
    share = f"{100 * MAX_REMOVED_SHARE:.0f} %"
    return RemovalRefused(
        f"{removed:,} of the {tracks:,} tracks could not be heard again: more than {share} looks like a disk that is "
        "not mounted, so the catalogue stays as it was. Mount it and run the same command again, which goes on where "
        "this one ended, or say --allow-removals to have them removed."
    )
