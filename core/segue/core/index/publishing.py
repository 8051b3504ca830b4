"""Publishes the index of a catalogue as a snapshot, and removes older ones; see ``segue.core.index.snapshot``."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from segue.core.catalogue.identity import CatalogueState, Identity
from segue.core.catalogue.store import TrackStore
from segue.core.errors import CatalogueEmpty, CatalogueLocked, SnapshotDamaged, SnapshotUnwritable
from segue.core.failpoints import Failpoint, reach
from segue.core.files import rename_synced, sha256_of
from segue.core.index.build import BuiltIndex, build_index
from segue.core.index.snapshot import KEPT_SNAPSHOTS, list_snapshots
from segue.core.index.snapshot_header import COPIES, HEADER, INDEX, TRACK_IDS, SnapshotHeader

_UNFINISHED = ".unfinished-"


def publish(data: Path, store: TrackStore, check_lock: Callable[[], None] = lambda: None) -> SnapshotHeader:
    """Builds the index of a catalogue and publishes it; only the writer of the catalogue may do so.

    A writer that loses its lock meanwhile removes no snapshot but its own, and publishes none.

    Args:
        data: Segue's data folder.
        store: the catalogue.
        check_lock: raises ``CatalogueLocked`` if the lock is lost; by default no other process can write.

    Returns:
        The header of the new snapshot.

    Raises:
        CatalogueLocked: the lock is lost.
        CatalogueEmpty: the catalogue does not exist.
        SnapshotUnwritable: the disk is full, or the folder cannot be written.
        StoreUnavailable: the store does not answer.
    """
    # Read before the tracks: an event that is added meanwhile may be included already, but cannot be missed.
    state = store.state()
    identity = state.identity
    if identity is None:
        raise CatalogueEmpty("There is no catalogue yet. Run segue-indexer add FOLDER first.")
    built = build_index(store, identity.width)
    folder = data / "snapshots"
    try:
        return _write(folder, identity, state, built, check_lock)
    except OSError as error:
        check_lock()  # a later writer removes what this one has not finished
        raise SnapshotUnwritable(
            f"The index cannot be written to {folder}: {error.strerror or error}. Make room or allow writing there, "
            "then run the same command again. All tracks are safe in Redis."
        ) from error


def _write(
    folder: Path,
    identity: Identity,
    state: CatalogueState,
    built: BuiltIndex,
    check_lock: Callable[[], None],
) -> SnapshotHeader:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _remove_unfinished(folder, check_lock)
    name = f"{state.revision:020d}-{uuid.uuid4().hex[:8]}"
    unfinished = folder / f"{_UNFINISHED}{name}"
    unfinished.mkdir()
    try:
        built.vectors.save(unfinished / INDEX)
        reach(Failpoint.SNAPSHOT_WRITE)
        _write_lines(unfinished / TRACK_IDS, built.vectors.track_ids)
        _write_lines(unfinished / COPIES, map(" ".join, built.copies.items()))
        files = {file: sha256_of(unfinished / file) for file in (INDEX, TRACK_IDS, COPIES)}
        header = SnapshotHeader(
            **asdict(identity), revision=state.revision, tracks=len(built.vectors), files=files, mark=state.mark
        )
        (unfinished / HEADER).write_text(header.to_json(), encoding="ascii")
        reach(Failpoint.BEFORE_RENAME)
        _rename(unfinished, folder / name, check_lock)
        reach(Failpoint.AFTER_RENAME)
    except (OSError, CatalogueLocked):
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    _remove_old(folder, folder / name, header, check_lock)
    return header


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="ascii")


def _rename(unfinished: Path, published: Path, check_lock: Callable[[], None]) -> None:
    """Publishes a snapshot. A writer that is suspended between the check and the renaming takes it back."""
    check_lock()
    rename_synced(unfinished, published)
    try:
        check_lock()
    except CatalogueLocked:
        remove_snapshot(published)
        raise


# What is removed is listed before the lock is checked. So it is older than any later writer, however long this one is
# suspended after the check.


def _remove_unfinished(folder: Path, check_lock: Callable[[], None]) -> None:
    listed = list(folder.glob(f"{_UNFINISHED}*"))
    check_lock()
    for path in listed:
        shutil.rmtree(path, ignore_errors=True)


def _remove_old(folder: Path, newest: Path, header: SnapshotHeader, check_lock: Callable[[], None]) -> None:
    """Removes all snapshots but the one just published and the newest one before it that can be used."""
    others = (path for path in list_snapshots(folder) if path != newest)
    listed = list(_superseded(others, header))
    check_lock()
    for path in listed:
        remove_snapshot(path)


def remove_snapshot(snapshot: Path) -> None:
    """Removes a snapshot, usable or not; renames it first, so that a crash leaves no incomplete snapshot."""
    renamed = snapshot.with_name(f"{_UNFINISHED}{snapshot.name}")
    with suppress(OSError):
        snapshot.rename(renamed)
    reach(Failpoint.WHILE_REMOVING)
    shutil.rmtree(renamed, ignore_errors=True)


def _superseded(older_snapshots: Iterator[Path], newest: SnapshotHeader) -> Iterator[Path]:
    """Yields the snapshots that the newest one makes useless, and those that were never usable."""
    kept = 1
    for path in older_snapshots:
        try:
            header = SnapshotHeader.from_json((path / HEADER).read_text(encoding="ascii"))
        except (OSError, UnicodeDecodeError, SnapshotDamaged):
            yield path
            continue
        # A higher revision, or another event with this one, is of a history that was lost when Redis went back.
        is_before = header.revision < newest.revision
        is_same = header.revision == newest.revision and header.mark == newest.mark
        if kept < KEPT_SNAPSHOTS and header.uuid == newest.uuid and (is_before or is_same):
            kept += 1
        else:
            yield path
