"""``segue-indexer remove``: takes tracks and files out of the catalogue."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from segue.core.catalogue.store import TrackStore
from segue.core.redis_catalogue.open import open_store
from segue.indexer.catalogue.publish import finish_run
from segue.indexer.catalogue.removals import files_under, orphaned_tracks
from segue.indexer.catalogue.session import open_for_writing
from segue.indexer.pipeline.examine import Failure
from segue.indexer.pipeline.run_counts import RunCounts
from segue.indexer.pipeline.scan import absolute
from segue.indexer.text import display_path

_TRACK_ID = re.compile("[0-9a-f]{32}")


@dataclass(frozen=True)
class _Chosen:
    """What is to leave; the files of the tracks are among the files."""

    track_ids: list[str]
    paths: list[str]


def remove(targets: Sequence[str], data: Path, redis_url: str | None, counts: RunCounts) -> None:
    """Removes tracks and forgets files, and publishes the index if a track went; the files themselves stay.

    Args:
        targets: track ids, files, and folders that stand for every file under them. They need not exist any more.
        data: the folder where Segue keeps its state.
        redis_url: the Redis that holds the catalogue, or None for the private one in ``data``.
        counts: counts what is done, and names each target that nothing in the catalogue answers to. If it is of a dry
            run, there is only counted.

    Raises:
        CatalogueEmpty: nothing was ever written.
        CatalogueLocked: another indexer is at work.
        SnapshotUnwritable: the index cannot be put on disk; what was removed is removed.
        StoreUnavailable: Redis does not answer.
    """
    with counts.timed():
        if counts.dry_run:
            with open_store(data, redis_url) as store:
                chosen = _choose(targets, store, counts)
                counts.removed, counts.tracks = (
                    len(orphaned_tracks(chosen.paths, store).union(chosen.track_ids)),
                    store.count(),
                )
            return
        with open_for_writing(data, redis_url) as (store, writer):
            before = store.revision()
            chosen = _choose(targets, store, counts)
            writer.remove(chosen.track_ids)
            writer.forget(chosen.paths)
            finish_run(data, store, writer, before, counts)


def _choose(targets: Sequence[str], store: TrackStore, counts: RunCounts) -> _Chosen:
    """What the targets stand for."""
    asked = dict.fromkeys(targets)
    track_ids = _tracks(list(asked), store)
    places = {display_path(absolute(Path(target))): target for target in asked if target not in track_ids}
    paths = {path for held in store.paths(track_ids) for path in held}
    paths.update(_files(places, store, counts))
    counts.forgotten = len(paths)
    return _Chosen(track_ids, sorted(paths))


def _tracks(targets: Sequence[str], store: TrackStore) -> list[str]:
    """The targets that are tracks."""
    candidates = [target for target in targets if _TRACK_ID.fullmatch(target)]
    return [target for target, track in zip(candidates, store.get(candidates), strict=True) if track is not None]


def _files(places: dict[str, str], store: TrackStore, counts: RunCounts) -> set[str]:
    """The files at and under these places."""
    found = {file.path for file in store.files(list(places)) if file is not None}
    missing = [place for place in places if place not in found]
    if missing:  # only then is every file looked at
        found.update(files_under(missing, store))
    for place in missing:
        if not any(path == place or path.startswith(place.rstrip("/") + "/") for path in found):
            counts.failures.append(_unknown(places[place]))
    return found


def _unknown(target: str) -> Failure:
    return Failure(
        display_path(Path(target)),
        "NOT_IN_CATALOGUE",
        "It is no track of the catalogue, no file of it, and no folder of its files.",
    )
