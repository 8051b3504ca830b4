"""What leaves the catalogue: files, and the tracks that no file holds then."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from itertools import chain

from segue.core.batching import batched
from segue.core.catalogue.store import TrackStore
from segue.indexer.pipeline.scan import find_file

_PAGE = 1_000


def files_under(folders: Sequence[str], store: TrackStore) -> Iterator[str]:
    """The paths of the files, indexed and failed, at or under these absolute paths, in no order; one may come twice."""
    starts = tuple(folder.rstrip("/") + "/" for folder in folders)
    paths = chain((file.path for file in store.all_files()), (file.path for file in store.all_failures()))
    return (path for path in paths if path.startswith(starts) or path in folders)


def missing_files(folders: Sequence[str], store: TrackStore) -> set[str]:
    """The paths at or under these that the catalogue knows, and where there is no file any more.

    A file stays where it cannot be told whether it is there: its folder cannot be read, or its disk does not answer.
    """
    missing = set[str]()
    for path in files_under(folders, store):
        with suppress(OSError):
            if find_file(path) is None:
                missing.add(path)
    return missing


def orphaned_tracks(paths: Collection[str], store: TrackStore) -> set[str]:
    """The tracks that go when all these files are forgotten: the last one that holds them is among them."""
    leaving, orphans = frozenset(paths), set[str]()
    for some in batched(leaving, _PAGE):
        owners = sorted({file.track_id for file in store.files(some) if file is not None})
        orphans.update(
            owner for owner, held in zip(owners, store.paths(owners), strict=True) if leaving.issuperset(held)
        )
    return orphans
