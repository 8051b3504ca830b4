"""``segue-indexer backup`` and ``restore``: a catalogue into one file, and out of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from segue.core.batching import batched
from segue.core.catalogue.records import FailureRecord, Identity
from segue.core.catalogue.store import TrackStore, TrackWriter, all_track_ids
from segue.core.errors import BackupUnusable, BackupUnwritable, CatalogueNotEmpty
from segue.core.redis_catalogue.open import open_store
from segue.core.redis_catalogue.store import RedisStore
from segue.indexer.catalogue.backup_file import Entry, read_backup, write_backup
from segue.indexer.catalogue.publish import publish_index
from segue.indexer.catalogue.session import open_for_writing, require_identity
from segue.indexer.pipeline.run_counts import RunCounts

_PAGE = 500


def backup(path: Path, data: Path, redis_url: str | None, replace: bool, counts: RunCounts) -> None:
    """Writes everything that the catalogue knows into one file.

    Args:
        path: the file.
        data: the folder where Segue keeps its state.
        redis_url: the Redis that holds the catalogue, or None for the private one in ``data``.
        replace: whether a file that is there already may be replaced.
        counts: gets the tracks that are in the backup. If it is of a dry run, nothing is written.

    Raises:
        BackupUnwritable: the file is there already, the disk is full, or the folder cannot be written.
        CatalogueEmpty: nothing was ever written.
        CatalogueLocked: an indexer is at work.
        StoreUnavailable: Redis does not answer.
    """
    if path.exists() and not replace:
        raise BackupUnwritable(f"{path} is there already. Name another file, or say --replace.")
    if path.exists() and not path.is_file():
        raise BackupUnwritable(f"{path} is no file, and would be lost. Name another.")
    with counts.timed():
        if counts.dry_run:
            with open_store(data, redis_url) as store:
                require_identity(store)
                counts.tracks = store.count()
            return
        with open_for_writing(data, redis_url) as (store, _):
            counts.tracks = store.count()
            _write(path, store)


def _write(path: Path, store: RedisStore) -> None:
    try:
        write_backup(path, require_identity(store), _entries(store))
    except OSError as error:
        raise BackupUnwritable(f"{path} cannot be written: {error.strerror or error}. Name another file.") from error


def restore(path: Path, data: Path, redis_url: str | None, replace: bool, counts: RunCounts) -> None:
    """Makes the catalogue of a backup, under a UUID of its own, and publishes its index.

    It is written beside the catalogue that there is, and takes its place at the end, all at once: until then that is as
    it was, whatever happens.

    Args:
        path: the file.
        data: the folder where Segue keeps its state.
        redis_url: the Redis that holds the catalogue, or None for the private one in ``data``.
        replace: whether a catalogue that is not empty may be replaced.
        counts: gets the tracks that are in the catalogue. If it is of a dry run, the file is only checked.

    Raises:
        BackupUnusable: the file is no backup, or a damaged one.
        CatalogueLocked: an indexer is at work.
        CatalogueNotEmpty: there are tracks, and nobody said that they may go.
        SnapshotUnwritable: the index cannot be put on disk; the tracks are restored.
        StoreUnavailable: Redis does not answer.
    """
    with counts.timed(), read_backup(path) as (identity, entries):
        with open_store(data, redis_url) as store:
            if store.count() and not replace:
                raise CatalogueNotEmpty(
                    f"The catalogue at {store.address} has {store.count()} tracks. Say --replace to have them replaced "
                    "by those of the backup, or give --data a new folder."
                )
            if not counts.dry_run:
                _restore(identity, entries, store, data)
                counts.tracks = store.count()
                return
        counts.tracks = sum(isinstance(entry, Entry) for entry in entries)


def _restore(identity: Identity, entries: Iterable[Entry | FailureRecord], store: RedisStore, data: Path) -> None:
    there = store.identity() or identity
    with store.writer(*there.key) as writer:
        writer.clear_staging()
        with (
            store.staging() as beside,
            beside.writer(*identity.key) as filler,
        ):
            _fill(filler, entries)
        writer.switch()
        publish_index(data, store, writer)


def _fill(writer: TrackWriter, entries: Iterable[Entry | FailureRecord]) -> None:
    for some in batched(entries, _PAGE):
        writer.add([addition for entry in some if isinstance(entry, Entry) for addition in entry.additions()])
        writer.note_failures([entry for entry in some if isinstance(entry, FailureRecord)])


def _entries(store: TrackStore) -> Iterator[Entry | FailureRecord]:
    """Everything that a catalogue knows, while no one writes it."""
    for page in batched(all_track_ids(store), _PAGE):
        found = zip(page, store.get(page), store.embeddings(page), store.paths(page), strict=True)
        for track_id, track, embedding, paths in found:
            files = [file for file in store.files(paths) if file is not None]
            if track is None or embedding is None or not files:
                raise BackupUnusable(
                    f"The track {track_id} is not whole, so a backup would not be. Run segue-indexer verify --repair."
                )
            yield Entry(track, embedding, files)
    yield from {failure.path: failure for failure in store.all_failures()}.values()
