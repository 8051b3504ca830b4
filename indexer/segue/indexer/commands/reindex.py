"""``segue-indexer reindex``: indexes every file of the catalogue again with another model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from segue.core.catalogue.display_path import display_path
from segue.core.catalogue.records import NO_METADATA
from segue.core.catalogue.store import TrackStore
from segue.core.catalogue.uploads import is_upload
from segue.core.errors import RemovalRefused
from segue.core.quantities import quantity
from segue.core.redis_catalogue.open import open_store
from segue.indexer.catalogue.publish import publish_index
from segue.indexer.catalogue.removals import failed_paths, orphaned_tracks
from segue.indexer.catalogue.session import open_staging_session
from segue.indexer.commands.dry_run import Plan
from segue.indexer.interrupt import Interrupt
from segue.indexer.pipeline.records import Missing, Source
from segue.indexer.pipeline.run_counts import MAX_REMOVED_PERCENT, RunCounts, Show, exceeds_removal_limit
from segue.indexer.pipeline.scan import classify_files, find_file, stat_file
from segue.indexer.settings import CatalogueSettings, Settings


def count_files(settings: CatalogueSettings) -> int:
    """Counts the files of the catalogue, indexed and failed.

    Raises:
        StoreUnavailable: Redis does not answer.
    """
    with open_store(settings.data, settings.redis_url) as store:
        return len(_known_paths(store))


def plan() -> Plan:
    """Returns the plan of ``reindex`` without an unfinished earlier run: every file of the catalogue."""
    return Plan(_sources, changes_model=True)


def _sources(store: TrackStore) -> Iterator[Source]:
    for path in _known_paths(store):
        file = _find_or_keep(path)
        yield Missing(path) if file is None else stat_file(file, known=False)


def reindex(
    settings: Settings, counts: RunCounts, interrupt: Interrupt, show: Show, *, allow_removals: bool = False
) -> None:
    """Indexes every file of the catalogue with ``settings.model``, and replaces the catalogue by the result.

    The new catalogue is built in the staging area while the live one is locked and unchanged. A run continues where an
    interrupted one ended.

    Args:
        settings: settings of the run.
        counts: counts to update; they are valid also when the run fails. A missing file counts as forgotten.
        interrupt: ends the run early; finished work is kept in the staging area.
        show: called with the counts after each change.
        allow_removals: replace the catalogue however many tracks are lost.

    Raises:
        CatalogueEmpty: there is no catalogue.
        RemovalRefused: more than ``MAX_REMOVED_PERCENT`` of the tracks would be lost, or an upload, which has no file.
        SegueError: the catalogue, the model or the index cannot be used.
    """
    if not allow_removals:
        _refuse_to_lose_uploads(settings)
    with counts.timed(), open_staging_session(settings) as (store, writer, session):
        paths = _known_paths(store)
        files = [file for path in paths if (file := _find_or_keep(path)) is not None]
        own = {file.path: file.own for file in store.all_files() if file.own}
        sources = classify_files(files, session.store, own=lambda path: own.get(display_path(path), NO_METADATA))
        session.index_files(sources, counts, interrupt, show)
        if interrupt.requested():
            return
        # Files that an earlier run indexed, and that left the catalogue or the disk since, must not come back.
        stale = set(_known_paths(session.store)).difference(map(display_path, files))
        counts.forgotten = len(paths) - len(files)
        counts.removed = max(0, store.count() - session.store.count() + len(orphaned_tracks(stale, session.store)))
        if exceeds_removal_limit(counts.removed, store.count()) and not allow_removals:
            raise _refusal(counts.removed, store.count())
        session.writer.forget(sorted(stale))
        writer.switch(session.writer)
        publish_index(settings.data, store, writer)
        writer.remove_replaced(wait=True)
        counts.tracks = store.count()


def _known_paths(store: TrackStore) -> list[str]:
    """Returns the paths of all files that a catalogue knows, indexed and failed, in order."""
    return sorted({*(file.path for file in store.all_files()), *failed_paths(store)})


def _find_or_keep(path: str) -> Path | None:
    """Returns the file, or None if it is missing; a file on a disk that does not answer fails when it is opened."""
    with suppress(OSError):
        return find_file(path)
    return Path(path)


def _refuse_to_lose_uploads(settings: CatalogueSettings) -> None:
    """Refuses a catalogue with uploads, before anything is staged; one that is sent later is lost as a missing file."""
    with open_store(settings.data, settings.redis_url) as store:
        uploads = sum(map(is_upload, _known_paths(store)))
    if uploads:
        raise RemovalRefused(
            f"Refused to replace the catalogue: it would lose {quantity(uploads, 'upload')}, whose audio was sent to a "
            "server and is not kept. Use --allow-removals to lose them, and send them again to a server with the new "
            "model."
        )


def _refusal(removed: int, tracks: int) -> RemovalRefused:
    return RemovalRefused(
        f"Refused to replace the catalogue: it would lose {removed:,} of {quantity(tracks, 'track')}. More than "
        f"{MAX_REMOVED_PERCENT} % looks like a disk that is not mounted. Mount the disk and run the same command "
        "again, which continues where this run ended, or use --allow-removals to lose these tracks."
    )
