"""``segue-indexer remove``: removes tracks and files from the catalogue."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from segue.core.catalogue.display_path import display_path
from segue.core.catalogue.external_ids import PREFIX
from segue.core.catalogue.store import TrackStore
from segue.core.catalogue.uploads import is_upload
from segue.core.redis_catalogue.open import open_store
from segue.indexer.catalogue.publish import finish_run
from segue.indexer.catalogue.removals import files_under, orphaned_tracks
from segue.indexer.catalogue.session import open_for_writing
from segue.indexer.pipeline.records import Failure
from segue.indexer.pipeline.run_counts import RunCounts
from segue.indexer.pipeline.scan import absolute
from segue.indexer.settings import CatalogueSettings

_TRACK_ID = re.compile("[0-9a-f]{32}")


@dataclass(frozen=True)
class _Selection:
    """Tracks to remove and files to forget, the files of the tracks included."""

    track_ids: list[str]
    paths: list[str]


def remove(targets: Sequence[str], settings: CatalogueSettings, counts: RunCounts) -> None:
    """Removes tracks, forgets files, and publishes the index if a track was removed; audio files are not touched.

    Args:
        targets: track ids, files, also by their external ids after "external:", paths of uploads, and folders, which
            select every file under them. They need not exist any more.
        settings: location of the catalogue.
        counts: counts to update; a target that selects nothing is a failure.

    Raises:
        CatalogueEmpty: nothing was ever written.
        CatalogueLocked: another indexer writes the catalogue.
        SnapshotUnwritable: the index cannot be written to disk, but the tracks are removed.
        StoreUnavailable: Redis does not answer.
    """
    with counts.timed(), open_for_writing(settings) as (store, writer):
        before = store.revision()
        selection = _select(targets, store, counts)
        writer.remove(selection.track_ids)
        writer.forget(selection.paths)
        finish_run(settings.data, store, writer, before, counts)


def count_removal(targets: Sequence[str], settings: CatalogueSettings, counts: RunCounts) -> None:
    """Counts what ``remove`` would do, with the same arguments; the catalogue is neither locked nor changed.

    Raises:
        CatalogueEmpty: nothing was ever written.
        StoreUnavailable: Redis does not answer.
    """
    with counts.timed(), open_store(settings.data, settings.redis_url) as store:
        selection = _select(targets, store, counts)
        counts.removed = len(orphaned_tracks(selection.paths, store).union(selection.track_ids))
        counts.tracks = store.count()


def _select(targets: Sequence[str], store: TrackStore, counts: RunCounts) -> _Selection:
    targets = list(dict.fromkeys(targets))
    track_ids = _existing_tracks(targets, store)
    described = _described_files(targets, store)
    target_of = {name: target for target in targets if target not in track_ids for name in _names(target)}
    target_of |= {path: target for target, path in described.items()}
    target_of |= {path: path for path in _known_uploads(targets, store)}
    paths = {path for track_paths in store.paths(track_ids) for path in track_paths}
    paths.update(_existing_files(target_of, store, counts))
    counts.forgotten = len(paths)
    return _Selection(track_ids, sorted(paths))


def _described_files(targets: Sequence[str], store: TrackStore) -> dict[str, str]:
    """Returns the paths of the files whose external ids are targets, by target."""
    external = [target for target in targets if target.startswith(PREFIX)]
    paths = store.external_paths([target.removeprefix(PREFIX) for target in external])
    return {target: path for target, path in zip(external, paths, strict=True) if path is not None}


def _known_uploads(targets: Sequence[str], store: TrackStore) -> list[str]:
    """Returns the targets that are paths of uploads, which may have lost their external ids to a file."""
    paths = [target for target in targets if is_upload(target)]
    return [path for path, file in zip(paths, store.files(paths), strict=True) if file is not None]


def _names(target: str) -> set[str]:
    """Returns the display path of a file or folder, also of a target that is a display path already."""
    path = absolute(Path(target))
    return {display_path(path), str(path)}


def _existing_tracks(targets: Sequence[str], store: TrackStore) -> list[str]:
    """Returns the targets that are ids of tracks, also of damaged ones."""
    candidates = [target for target in targets if _TRACK_ID.fullmatch(target)]
    tracks = dict(zip(candidates, store.get(candidates), strict=True))
    return [target for target in candidates if tracks[target] is not None or target in store.damaged.names("track")]


def _existing_files(target_of: dict[str, str], store: TrackStore, counts: RunCounts) -> set[str]:
    """Returns the files at and under these paths, and counts each path without a file as a failure.

    Args:
        target_of: the argument of the command for each absolute path; an argument may have two paths.
        store: the catalogue.
        counts: counts to update.
    """
    paths = {file.path for file in store.files(list(target_of)) if file is not None}
    folders = [path for path in target_of if path not in paths]
    if folders:  # the search goes through every file of the catalogue
        paths.update(files_under(folders, store))
    found = {target for name, target in target_of.items() if any(_is_at(path, name) for path in paths)}
    counts.failures.extend(_unknown(target) for target in dict.fromkeys(target_of.values()) if target not in found)
    return paths


def _is_at(path: str, target: str) -> bool:
    """Returns whether a path is a target or under it."""
    return path == target or path.startswith(target.rstrip("/") + "/")


def _unknown(target: str) -> Failure:
    return Failure(
        display_path(Path(target)),
        "NOT_IN_CATALOGUE",
        "The catalogue has no such track, no such file, and no file in such a folder.",
    )
