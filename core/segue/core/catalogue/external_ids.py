"""Finds tracks by the ids that they have in their owner's system."""

from __future__ import annotations

from collections.abc import Sequence

from segue.core.catalogue.records import PathRecord
from segue.core.catalogue.store import TrackStore

PREFIX = "external:"
"""Text before an external id where a track id is expected."""


def resolve_ids(ids: Sequence[str], store: TrackStore) -> list[str]:
    """Returns track ids, those of the tracks for external ids after ``PREFIX``; an unknown one stays as it is.

    Raises:
        StoreUnavailable: the store does not answer.
    """
    external = {each: each.removeprefix(PREFIX) for each in ids if each.startswith(PREFIX)}
    known = dict(zip(external, track_ids_of(list(external.values()), store), strict=True))
    return [known.get(each) or each for each in ids]


def track_ids_of(external_ids: Sequence[str], store: TrackStore) -> list[str | None]:
    """Returns the ids of the tracks with these external ids, with None for unknown ones."""
    return [None if file is None else file.track_id for file in files_of(external_ids, store)]


def files_of(external_ids: Sequence[str], store: TrackStore) -> list[PathRecord | None]:
    """Returns the files that have these external ids, with None for unknown ones."""
    paths = store.external_paths(external_ids)
    files = {file.path: file for file in store.files([path for path in paths if path is not None]) if file is not None}
    found = [None if path is None else files.get(path) for path in paths]
    # A transaction that is not finished may have moved an id: the record of the file decides.
    return [
        file if file is not None and file.own.external_id == external_id else None
        for external_id, file in zip(external_ids, found, strict=True)
    ]
