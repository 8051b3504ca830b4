"""``segue-indexer rebuild``: rebuilds the index from the catalogue alone."""

from __future__ import annotations

from segue.core.redis_catalogue.open import open_store
from segue.indexer.catalogue.publish import publish_index
from segue.indexer.catalogue.session import open_for_writing, require_content
from segue.indexer.pipeline.run_counts import RunCounts
from segue.indexer.settings import CatalogueSettings


def rebuild(settings: CatalogueSettings, counts: RunCounts) -> int:
    """Rebuilds the index and publishes it, whatever index exists.

    Args:
        settings: location of the catalogue.
        counts: counts to update.

    Returns:
        The revision of the index.

    Raises:
        CatalogueEmpty: the catalogue is empty.
        CatalogueLocked: another indexer writes the catalogue.
        SnapshotUnwritable: the disk is full, or the folder cannot be written.
        StoreUnavailable: Redis does not answer.
    """
    with counts.timed(), open_for_writing(settings) as (store, writer):
        require_content(store)
        header = publish_index(settings.data, store, writer)
        counts.tracks = header.tracks
        return header.revision


def count_rebuild(settings: CatalogueSettings, counts: RunCounts) -> int:
    """Counts what ``rebuild`` would publish, and returns its revision; the catalogue is not locked.

    Raises:
        CatalogueEmpty: the catalogue is empty.
        StoreUnavailable: Redis does not answer.
    """
    with counts.timed(), open_store(settings.data, settings.redis_url) as store:
        require_content(store)
        counts.tracks = store.count()
        return store.revision()
