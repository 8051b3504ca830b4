"""Stores the index on disk, as a checkpoint of the catalogue that can be built again at any time.

::

    snapshots/<revision>-<random>/
        index.hnsw     the graph
        track_ids      the ids of its rows, one on each line
        header.json    the catalogue, the revision and the digests of all files

A snapshot appears complete, by one rename. All of its bytes are checked before hnswlib opens it: hnswlib does not check
what it reads, and a damaged graph could crash the process.
"""

from __future__ import annotations

import logging
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from segue.core.batching import batched
from segue.core.catalogue.records import CatalogueState, Identity
from segue.core.catalogue.store import TrackStore, all_track_ids
from segue.core.errors import CatalogueEmpty, CatalogueLocked, SnapshotDamaged, SnapshotUnwritable
from segue.core.failpoints import Failpoint, reach
from segue.core.files import rename_synced, sha256_of
from segue.core.index.snapshot_header import HEADER, INDEX, TRACK_IDS, SnapshotHeader
from segue.core.index.vector_index import HnswIndex

# The newest snapshot, and the one before it for the case that the newest is damaged.
KEPT_SNAPSHOTS = 2
_PAGE = 1_000
_UNFINISHED = ".unfinished-"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Snapshot:
    """A loaded index and its header."""

    header: SnapshotHeader
    index: HnswIndex


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
    track_ids, vectors = _read_embeddings(store, identity.width)
    index = HnswIndex.build(track_ids, vectors)
    folder = data / "snapshots"
    try:
        return _write(folder, identity, state, track_ids, index, check_lock)
    except OSError as error:
        check_lock()  # a later writer removes what this one has not finished
        raise SnapshotUnwritable(
            f"The index cannot be written to {folder}: {error.strerror or error}. Make room or allow writing there, "
            "then run the same command again. All tracks are safe in Redis."
        ) from error


def load_newest(data: Path, identity: Identity, since: int = 0, until: int | None = None) -> Snapshot | None:
    """Loads the newest usable snapshot of this catalogue, and logs each one that it skips.

    Args:
        data: Segue's data folder.
        identity: the identity of the catalogue.
        since: lowest usable revision: the one before the oldest event in the stream.
        until: highest possible revision: the newest event in the stream; None for any.

    Returns:
        The snapshot, or None if there is none; the index has to be built from the store then.
    """
    for folder in list_snapshots(data / "snapshots"):
        try:
            return load(folder, identity, since, until)
        except SnapshotDamaged as error:
            log.warning("The snapshot %s is skipped: %s", folder, error)
    return None


def newest_revision(data: Path) -> int:
    """Returns the revision in the name of the newest snapshot, usable or not, or 0 if there is none."""
    return max((_revision(path) for path in list_snapshots(data / "snapshots")), default=0)


def newest_identity(data: Path) -> Identity | None:
    """Returns the identity of the catalogue that the newest readable snapshot was built from, or None."""
    for folder in list_snapshots(data / "snapshots"):
        with suppress(OSError, UnicodeDecodeError, SnapshotDamaged):
            return SnapshotHeader.from_json((folder / HEADER).read_text(encoding="ascii")).identity
    return None


def older_revision(data: Path) -> int:
    """Returns the revision in the name of the oldest snapshot, or 0 if there are fewer than two.

    Readers need the events after it: if the newer snapshot is damaged, they load the older one.
    """
    revisions = [_revision(path) for path in list_snapshots(data / "snapshots")]
    return min(revisions) if len(revisions) >= KEPT_SNAPSHOTS else 0


def _read_embeddings(store: TrackStore, width: int) -> tuple[list[str], NDArray[np.float32]]:
    """Returns the ids [n] and embeddings [n, width] of all tracks."""
    all_ids = list(all_track_ids(store))
    vectors = np.empty((len(all_ids), width), np.float32)
    track_ids: list[str] = []
    for page in batched(all_ids, _PAGE):
        for track_id, embedding in zip(page, store.embeddings(page), strict=True):
            if embedding is not None:  # otherwise it was removed meanwhile, by a later event
                vectors[len(track_ids)] = embedding
                track_ids.append(track_id)
    return track_ids, vectors[: len(track_ids)]


def _write(
    folder: Path,
    identity: Identity,
    state: CatalogueState,
    track_ids: list[str],
    index: HnswIndex,
    check_lock: Callable[[], None],
) -> SnapshotHeader:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _remove_unfinished(folder, check_lock)
    name = f"{state.revision:020d}-{uuid.uuid4().hex[:8]}"
    unfinished = folder / f"{_UNFINISHED}{name}"
    unfinished.mkdir()
    try:
        index.save(unfinished / INDEX)
        reach(Failpoint.SNAPSHOT_WRITE)
        (unfinished / TRACK_IDS).write_text("".join(f"{track_id}\n" for track_id in track_ids), encoding="ascii")
        files = {file: sha256_of(unfinished / file) for file in (INDEX, TRACK_IDS)}
        header = SnapshotHeader(
            **asdict(identity), revision=state.revision, tracks=len(track_ids), files=files, mark=state.mark
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


def _rename(unfinished: Path, published: Path, check_lock: Callable[[], None]) -> None:
    """Publishes a snapshot. A writer that is suspended between the check and the renaming takes it back."""
    check_lock()
    rename_synced(unfinished, published)
    try:
        check_lock()
    except CatalogueLocked:
        remove_snapshot(published)
        raise


def load(folder: Path, identity: Identity, since: int, until: int | None) -> Snapshot:
    """Loads one snapshot; see ``load_newest``.

    Raises:
        SnapshotDamaged: it is damaged, of another catalogue, or its revision is out of range.
    """
    try:
        header = SnapshotHeader.from_json((folder / HEADER).read_text(encoding="ascii"))
        _check(folder, header, identity, since, until)
        track_ids = (folder / TRACK_IDS).read_text(encoding="ascii").splitlines()
        if len(track_ids) != header.tracks:
            raise SnapshotDamaged(f"it has {len(track_ids)} track ids, but {header.tracks} tracks by its header")
        return Snapshot(header, HnswIndex.load(folder / INDEX, track_ids, header.width))
    except (OSError, UnicodeDecodeError) as error:
        raise SnapshotDamaged(f"it cannot be read ({error})") from error


def _check(folder: Path, header: SnapshotHeader, identity: Identity, since: int, until: int | None) -> None:
    if not header.fits(identity):
        raise SnapshotDamaged(
            f"it belongs to the catalogue {header.uuid} of {header.model_id} ({header.fingerprint}), and this one is "
            f"{identity.uuid} of {identity.model_id} ({identity.fingerprint})"
        )
    if header.revision < since or (until is not None and header.revision > until):
        raise SnapshotDamaged(
            f"its revision {header.revision} is not between {since} and {until}, the revisions of the events"
        )
    for name in (INDEX, TRACK_IDS):
        if header.files.get(name) != sha256_of(folder / name):
            raise SnapshotDamaged(f"its {name} does not have the digest in its header")


def list_snapshots(folder: Path) -> list[Path]:
    """Returns the snapshots in the folder of snapshots, usable or not, the newest first."""
    try:
        snapshots = [path for path in folder.iterdir() if not path.name.startswith(".")]
    except FileNotFoundError:
        return []
    except OSError as error:
        log.warning("The snapshots in %s cannot be read (%s); the index is built from Redis", folder, error.strerror)
        return []
    return sorted(snapshots, key=lambda path: (_revision(path), path.name), reverse=True)


def _revision(folder: Path) -> int:
    digits = folder.name.partition("-")[0]
    return int(digits) if digits.isdecimal() else 0


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
