"""Finds files that are missing from the disk, and tracks that lose their last file."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from itertools import chain

from segue.core.batching import batched
from segue.core.catalogue.store import TrackStore
from segue.core.errors import RemovalRefused
from segue.core.quantities import quantity
from segue.indexer.pipeline.run_counts import MAX_REMOVED_PERCENT, exceeds_removal_limit
from segue.indexer.pipeline.scan import find_file
from segue.indexer.text import escape_control_characters

_PAGE = 1_000


def files_under(paths: Sequence[str], store: TrackStore) -> Iterator[str]:
    """Yields the files of the catalogue, indexed and failed, at or under absolute paths, unordered, some twice."""
    folders = tuple(path.rstrip("/") + "/" for path in paths)
    known = chain((file.path for file in store.all_files()), (failure.path for failure in store.all_failures()))
    return (path for path in known if path.startswith(folders) or path in paths)


def missing_files(paths: Sequence[str], store: TrackStore) -> set[str]:
    """Returns the files of the catalogue at or under absolute paths that do not exist any more.

    A file in a folder that cannot be read, or on a disk that does not answer, is not missing.
    """
    missing = set[str]()
    for path in files_under(paths, store):
        with suppress(OSError):
            if find_file(path) is None:
                missing.add(path)
    return missing


def missing_among(files: Sequence[str], folders: Sequence[str], store: TrackStore) -> list[str]:
    """Returns the files of the catalogue that do not exist any more, of these files and of all under these folders.

    All records are read if there is a folder, and else only those of the files.
    """
    records = zip(files, store.files(files), store.failures(files), strict=True)
    known = [path for path, record, failure in records if record is not None or failure is not None]
    missing = missing_files(folders, store) if folders else set()
    for path in known:
        with suppress(OSError):
            if find_file(path) is None:
                missing.add(path)
    return sorted(missing)


def orphaned_tracks(paths: Collection[str], store: TrackStore) -> set[str]:
    """Returns the tracks that have no file except these."""
    forgotten, orphans = frozenset(paths), set[str]()
    for page in batched(forgotten, _PAGE):
        track_ids = sorted({file.track_id for file in store.files(page) if file is not None})
        orphans.update(
            track_id
            for track_id, track_paths in zip(track_ids, store.paths(track_ids), strict=True)
            if forgotten.issuperset(track_paths)
        )
    return orphans


def removal_refusal(missing: Sequence[str], store: TrackStore, advice: str) -> RemovalRefused | None:
    """Returns the error if forgetting these files would remove too many tracks, else None.

    Args:
        missing: display paths of files that do not exist any more.
        store: the catalogue.
        advice: what to do, as the last sentence of the error.
    """
    orphans, tracks = len(orphaned_tracks(missing, store)), store.count()
    if not exceeds_removal_limit(orphans, tracks):
        return None
    example = escape_control_characters(missing[0])
    return RemovalRefused(
        f"Refused to remove {orphans:,} of {quantity(tracks, 'track')} whose files are missing, for example {example}. "
        f"More than {MAX_REMOVED_PERCENT} % at once looks like a disk that is not mounted, so nothing was removed. "
        f"{advice}"
    )


def failed_paths(store: TrackStore, reason: str | None = None) -> list[str]:
    """Returns the paths of the files that failed for a reason, or for any if None, in order."""
    return sorted({failure.path for failure in store.all_failures() if reason in {None, failure.reason}})
