"""``segue-indexer rebuild``: makes the index from the catalogue alone."""

from __future__ import annotations

from pathlib import Path

from segue.core.redis_catalogue.open import open_store
from segue.indexer.catalogue.publish import publish_index
from segue.indexer.catalogue.session import open_for_writing, require_identity
from segue.indexer.pipeline.run_counts import RunCounts


def rebuild(data: Path, redis_url: str | None, counts: RunCounts) -> int:
    """Makes the index anew and publishes it, whatever index there was.

    Args:
        data: the folder where Segue keeps its state.
        redis_url: the Redis that holds the catalogue, or None for the private one in ``data``.
        counts: gets the number of tracks and the time that it took. If it is of a dry run, these are only counted.

    Returns:
        The revision of the index.

    Raises:
        CatalogueEmpty: nothing was ever written.
        CatalogueLocked: another indexer is at work.
        SnapshotUnwritable: the disk is full, or the folder cannot be written.
        StoreUnavailable: Redis does not answer.
    """
    with counts.timed():
        if counts.dry_run:
            with open_store(data, redis_url) as store:
                require_identity(store)
                counts.tracks = store.count()
                return store.revision()
        with open_for_writing(data, redis_url) as (store, writer):
            header = publish_index(data, store, writer)
            counts.tracks = header.tracks
            return header.revision
