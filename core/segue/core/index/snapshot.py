"""The index on disk: a checkpoint of the catalogue that can always be made again, and is never the truth.

::

    snapshots/<revision>-<random>/
        index.hnsw     the graph
        track_ids      the id of each of its rows, one a line
        header.json    what it was made of, the digests of both, and its own

A snapshot appears whole, by one rename, and is checked whole before hnswlib opens it: hnswlib trusts what it reads, and
a damaged graph could crash the process.
"""

from __future__ import annotations

import logging
import shutil
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from segue.core.batching import batched
from segue.core.catalogue.records import Identity
from segue.core.catalogue.store import TrackStore, all_track_ids
from segue.core.errors import CatalogueEmpty, SnapshotDamaged, SnapshotUnwritable
from segue.core.failpoints import Failpoint, reach
from segue.core.files import sha256_of, sync, sync_tree
from segue.core.index.snapshot_header import HEADER, INDEX, TRACK_IDS, Header
from segue.core.index.vector_index import HnswIndex

KEPT = 2
_PAGE = 1_000
_UNFINISHED = ".unfinished-"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Snapshot:
    """An index that was loaded, and what it was made of."""

    header: Header
    index: HnswIndex


def publish(data: Path, store: TrackStore) -> Header:
    """Makes the index of a catalogue and publishes it, by one rename; only the catalogue's writer does that.

    Args:
        data: Segue's data folder.
        store: the catalogue.

    Returns:
        What stands in the header.

    Raises:
        CatalogueEmpty: nothing was ever written.
        SnapshotUnwritable: the disk is full, or the folder cannot be written.
        StoreUnavailable: the store does not answer.
    """
    identity = store.identity()
    if identity is None:
        raise CatalogueEmpty("There is no catalogue yet. Run segue-indexer add FOLDER first.")
    # Read first: an event that comes while the tracks are read is in the index or follows it, but is never missed.
    revision = store.revision()
    track_ids, vectors = _read(store, identity.width)
    index = HnswIndex.build(track_ids, vectors)
    folder = data / "snapshots"
    try:
        return _write(folder, identity, revision, track_ids, index)
    except OSError as error:
        raise SnapshotUnwritable(
            f"The index cannot be written to {folder}: {error.strerror or error}. Make room or give the right to write "
            "there, then run the same command again; the tracks themselves are safe in Redis."
        ) from error


def load_newest(data: Path, identity: Identity, since: int = 0, until: int | None = None) -> Snapshot | None:
    """Loads the newest snapshot that is whole and belongs to this catalogue; each one passed over is logged.

    Args:
        data: Segue's data folder.
        identity: the catalogue's.
        since: the least revision that will do: the one before the oldest event that the stream still holds.
        until: the greatest that can be: the stream's last. None means any.

    Returns:
        The snapshot, or None where there is none: the index is to be made from the store then.
    """
    for folder in published(data / "snapshots"):
        try:
            return load(folder, identity, since, until)
        except SnapshotDamaged as error:
            log.warning("The snapshot %s is passed over: %s", folder, error)
    return None


def newest_revision(data: Path) -> int:
    """The revision of the newest snapshot by its name, whether or not it is whole; 0 where there is none."""
    return max((_revision(path) for path in published(data / "snapshots")), default=0)


def older_revision(data: Path) -> int:
    """The revision of the older of two snapshots by its name, 0 where there are not two.

    Readers need the events behind it: should the newer one be damaged, the older one is followed from there.
    """
    revisions = [_revision(path) for path in published(data / "snapshots")]
    return min(revisions) if len(revisions) >= KEPT else 0


def _read(store: TrackStore, width: int) -> tuple[list[str], NDArray[np.float32]]:
    """The ids [n] and embeddings [n, width] of every track."""
    ids = list(all_track_ids(store))
    vectors = np.empty((len(ids), width), np.float32)
    kept: list[str] = []
    for page in batched(ids, _PAGE):
        for track_id, embedding in zip(page, store.embeddings(page), strict=True):
            if embedding is not None:  # else it was removed a moment ago, by an event that follows
                vectors[len(kept)] = embedding
                kept.append(track_id)
    return kept, vectors[: len(kept)]


def _write(folder: Path, identity: Identity, revision: int, track_ids: list[str], index: HnswIndex) -> Header:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _remove_unfinished(folder)
    name = f"{revision:020d}-{uuid.uuid4().hex[:8]}"
    unfinished = folder / f"{_UNFINISHED}{name}"
    unfinished.mkdir()
    try:
        index.save(unfinished / INDEX)
        reach(Failpoint.SNAPSHOT_WRITE)
        (unfinished / TRACK_IDS).write_text("".join(f"{track_id}\n" for track_id in track_ids), encoding="ascii")
        files = {file: sha256_of(unfinished / file) for file in (INDEX, TRACK_IDS)}
        header = Header(**asdict(identity), revision=revision, tracks=len(track_ids), files=files)
        (unfinished / HEADER).write_text(header.to_json(), encoding="ascii")
        sync_tree(unfinished)
        reach(Failpoint.BEFORE_RENAME)
        unfinished.rename(folder / name)
        reach(Failpoint.AFTER_RENAME)
    except OSError:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    sync(folder)
    _remove_old(folder, folder / name, header)
    return header


def load(folder: Path, identity: Identity, since: int, until: int | None) -> Snapshot:
    """Loads one snapshot; see ``load_newest``.

    Raises:
        SnapshotDamaged: it is not whole, of another catalogue, or of another time.
    """
    try:
        header = Header.from_json((folder / HEADER).read_text(encoding="ascii"))
        _check(folder, header, identity, since, until)
        track_ids = (folder / TRACK_IDS).read_text(encoding="ascii").splitlines()
        if len(track_ids) != header.tracks:
            raise SnapshotDamaged(f"it names {len(track_ids)} tracks, and its header {header.tracks}")
        return Snapshot(header, HnswIndex.load(folder / INDEX, track_ids, header.width))
    except (OSError, UnicodeDecodeError) as error:
        raise SnapshotDamaged(f"it cannot be read ({error})") from error


def _check(folder: Path, header: Header, identity: Identity, since: int, until: int | None) -> None:
    if not header.fits(identity):
        raise SnapshotDamaged(
            f"it was made of the catalogue {header.uuid} by {header.model_id} ({header.fingerprint}), and this one is "
            f"{identity.uuid} by {identity.model_id} ({identity.fingerprint})"
        )
    if header.revision < since or (until is not None and header.revision > until):
        raise SnapshotDamaged(
            f"its revision {header.revision} is not between {since} and {until}, where the events are"
        )
    for name in (INDEX, TRACK_IDS):
        if header.files.get(name) != sha256_of(folder / name):
            raise SnapshotDamaged(f"its {name} is not the file that its header names")


def published(folder: Path) -> list[Path]:
    """The snapshots in the folder of snapshots, whole or not, the newest first."""
    try:
        found = [path for path in folder.iterdir() if not path.name.startswith(".")]
    except FileNotFoundError:
        return []
    except OSError as error:
        log.warning("The snapshots in %s cannot be read (%s); the index is made from Redis", folder, error.strerror)
        return []
    return sorted(found, key=lambda path: (_revision(path), path.name), reverse=True)


def _revision(folder: Path) -> int:
    digits = folder.name.partition("-")[0]
    return int(digits) if digits.isdecimal() else 0


def _remove_unfinished(folder: Path) -> None:
    for path in folder.glob(f"{_UNFINISHED}*"):
        shutil.rmtree(path, ignore_errors=True)


def _remove_old(folder: Path, newest: Path, header: Header) -> None:
    """Keeps the snapshot just published and the newest before it; whatever else is there nobody can use any more."""
    others = (path for path in published(folder) if path != newest)
    for path in list(_unusable(others, header)):
        remove(path)


def remove(snapshot: Path) -> None:
    """Removes a snapshot, whole or not; should the program die meanwhile, none is left that looks like one."""
    unnamed = snapshot.with_name(f"{_UNFINISHED}{snapshot.name}")
    with suppress(OSError):
        snapshot.rename(unnamed)
    reach(Failpoint.WHILE_REMOVING)
    shutil.rmtree(unnamed, ignore_errors=True)


def _unusable(others: Iterator[Path], published: Header) -> Iterator[Path]:
    kept = 1
    for path in others:
        try:
            header = Header.from_json((path / HEADER).read_text(encoding="ascii"))
        except (OSError, UnicodeDecodeError, SnapshotDamaged):
            yield path
            continue
        # A greater revision is of a history that was lost, when Redis was restored from older data.
        if kept < KEPT and header.uuid == published.uuid and header.revision <= published.revision:
            kept += 1
        else:
            yield path
