"""``segue-indexer backup`` and ``restore``: write the catalogue to one file, and read it back."""

from __future__ import annotations

import hashlib
import os
from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from segue.core.batching import batched
from segue.core.catalogue.identity import Identity
from segue.core.catalogue.records import FailureRecord
from segue.core.catalogue.store import TrackStore, TrackWriter, all_track_ids
from segue.core.catalogue.window_embeddings import pack_windows
from segue.core.errors import BackupUnusable, BackupUnwritable, CatalogueNotEmpty
from segue.core.quantities import quantity
from segue.core.redis_catalogue.open import open_store
from segue.core.redis_catalogue.store import RedisStore
from segue.indexer.catalogue.backup_file import read_backup, write_backup
from segue.indexer.catalogue.backup_lines import Entry
from segue.indexer.catalogue.publish import publish_index
from segue.indexer.catalogue.session import PATIENCE_SECONDS, open_for_writing, require_identity
from segue.indexer.pipeline.run_counts import RunCounts
from segue.indexer.settings import CatalogueSettings

_PAGE = 500


def backup(path: Path, settings: CatalogueSettings, replace: bool, counts: RunCounts) -> None:
    """Writes the whole catalogue to one file.

    Args:
        path: the file.
        settings: location of the catalogue.
        replace: overwrite an existing file.
        counts: counts to update.

    Raises:
        BackupUnusable: a track in the catalogue is incomplete or damaged.
        BackupUnwritable: the file exists, the disk is full, or the folder cannot be written.
        CatalogueEmpty: nothing was ever written.
        CatalogueLocked: another indexer writes the catalogue.
        StoreUnavailable: Redis does not answer.
    """
    _check_target(path, replace)
    with counts.timed(), open_for_writing(settings) as (store, _):
        counts.tracks = store.count()
        _write(path, store)


def count_backup(path: Path, settings: CatalogueSettings, replace: bool, counts: RunCounts) -> None:
    """Counts what ``backup`` would write, with the same arguments; the catalogue is not locked.

    Raises:
        BackupUnwritable: the file exists.
        CatalogueEmpty: nothing was ever written.
        StoreUnavailable: Redis does not answer.
    """
    _check_target(path, replace)
    with counts.timed(), open_store(settings.data, settings.redis_url) as store:
        require_identity(store)
        counts.tracks = store.count()


def _check_target(path: Path, replace: bool) -> None:
    if path.exists() and not replace:
        raise BackupUnwritable(f"{path} exists already. Name another file, or use --replace.")
    if path.exists() and not path.is_file():
        raise BackupUnwritable(f"{path} is not a regular file. Name another file.")


def _write(path: Path, store: RedisStore) -> None:
    try:
        write_backup(path, require_identity(store), _entries(store))
    except OSError as error:
        raise BackupUnwritable(f"{path} cannot be written: {error.strerror or error}. Name another file.") from error


def restore(path: Path, settings: CatalogueSettings, replace: bool, counts: RunCounts) -> None:
    """Restores the catalogue of a backup under a new UUID, and publishes its index.

    The catalogue is written to the staging area and then replaces the live one in one transaction; until then the live
    one is unchanged.

    Args:
        path: the file.
        settings: location of the catalogue.
        replace: replace a catalogue that is not empty.
        counts: counts to update.

    Raises:
        BackupUnusable: the file is not a backup, or is damaged.
        CatalogueLocked: another indexer writes the catalogue.
        CatalogueNotEmpty: there are tracks, and ``replace`` is false.
        SnapshotUnwritable: the index cannot be written to disk; the tracks are restored.
        StoreUnavailable: Redis does not answer.
    """
    with (
        counts.timed(),
        read_backup(path) as (identity, pages),
        open_store(settings.data, settings.redis_url) as store,
    ):
        _check_replaceable(store, replace)
        _restore(identity, _with_unique_files(path, pages), store, settings.data)
        counts.tracks = store.count()


def count_restore(path: Path, settings: CatalogueSettings, replace: bool, counts: RunCounts) -> None:
    """Counts what ``restore`` would write, with the same arguments, and checks the file.

    Raises:
        BackupUnusable: the file is not a backup, or is damaged.
        CatalogueNotEmpty: there are tracks, and ``replace`` is false.
        StoreUnavailable: Redis does not answer.
    """
    with counts.timed(), read_backup(path) as (_, pages):
        with open_store(settings.data, settings.redis_url) as store:
            _check_replaceable(store, replace)
        entries = (entry for page in _with_unique_files(path, pages) for entry in page)
        counts.tracks = sum(isinstance(entry, Entry) for entry in entries)


def _check_replaceable(store: RedisStore, replace: bool) -> None:
    if not replace and store.count():
        raise CatalogueNotEmpty(
            f"The catalogue at {store.address} has {quantity(store.count(), 'track')}. Use --replace to replace it "
            "with the backup, or give --data a new folder."
        )


def _restore(identity: Identity, pages: Iterable[list[Entry | FailureRecord]], store: RedisStore, data: Path) -> None:
    with store.replacing_writer(patience=PATIENCE_SECONDS) as writer:
        writer.clear_staging()
        try:
            with store.staging() as staging, staging.writer(*identity.key) as staging_writer:
                _fill(staging_writer, pages)
        except BackupUnusable:
            writer.clear_staging()
            raise
        writer.switch(staging_writer)
        publish_index(data, store, writer)
        writer.remove_replaced(wait=True)


def _with_unique_files(
    path: Path, pages: Iterable[list[Entry | FailureRecord]]
) -> Iterator[list[Entry | FailureRecord]]:
    """Yields the pages, and checks at the end that no file belongs to two tracks; 8 bytes of each are remembered."""
    digests = array("Q")
    for page in pages:
        files = (file for entry in page if isinstance(entry, Entry) for file in entry.files)
        for file in files:
            digests.frombytes(hashlib.blake2b(os.fsencode(file.path), digest_size=8).digest())
        yield page
    if len(np.unique(digests)) < len(digests):
        raise BackupUnusable(
            f"{path} cannot be restored: one of its files belongs to two tracks. Use another backup; the catalogue is "
            "unchanged."
        )


def _fill(writer: TrackWriter, pages: Iterable[list[Entry | FailureRecord]]) -> None:
    for page in pages:
        writer.add([addition for entry in page if isinstance(entry, Entry) for addition in entry.additions()])
        writer.record_failures([entry for entry in page if isinstance(entry, FailureRecord)])


def _entries(store: TrackStore) -> Iterator[Entry | FailureRecord]:
    """Yields all tracks and failures of a catalogue that is locked."""
    for page in batched(all_track_ids(store), _PAGE):
        windows = [b"" if kept is None else pack_windows(kept) for kept in store.windows(page)]
        tracks = zip(page, store.get(page), store.embeddings(page), store.paths(page), windows, strict=True)
        for track_id, track, embedding, paths, packed in tracks:
            files = [file for file in store.files(paths) if file is not None]
            if track is None or embedding is None or not files:
                raise BackupUnusable(
                    f"The track {track_id} is incomplete or damaged in the catalogue and cannot be backed up. Run "
                    "`segue-indexer verify --repair` first."
                )
            yield Entry(track, embedding, files, packed)
    yield from {failure.path: failure for failure in store.all_failures()}.values()
