"""Stores the index on disk, as a checkpoint of the catalogue that can be built again at any time.

::

    snapshots/<revision>-<random>/
        index.hnsw     the graph
        track_ids      the ids of its rows, one on each line
        copies         each track that has copies, with the least id among them, see segue.core.index.copies; snapshots
                       of earlier versions do not have it
        header.json    the catalogue, the revision and the digests of all files

A snapshot appears complete, by one rename. All of its bytes are checked before hnswlib opens it: hnswlib does not check
what it reads, and a damaged graph could crash the process.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from segue.core.catalogue.identity import Identity
from segue.core.errors import SnapshotDamaged
from segue.core.files import sha256_of
from segue.core.index.snapshot_header import COPIES, HEADER, INDEX, TRACK_IDS, SnapshotHeader
from segue.core.index.vector_index import HnswIndex

# The newest snapshot, and the one before it for the case that the newest is damaged.
KEPT_SNAPSHOTS = 2

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Snapshot:
    """A loaded snapshot.

    Attributes:
        header: its header.
        index: the index.
        copies: the group of each track that has copies; see ``find_copies``.
    """

    header: SnapshotHeader
    index: HnswIndex
    copies: dict[str, str]


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
        return Snapshot(header, HnswIndex.load(folder / INDEX, track_ids, header.width), _read_copies(folder, header))
    except (OSError, UnicodeDecodeError) as error:
        raise SnapshotDamaged(f"it cannot be read ({error})") from error


def _read_copies(folder: Path, header: SnapshotHeader) -> dict[str, str]:
    """Returns the copies of a snapshot whose digests were checked; an earlier version has written none."""
    lines = (folder / COPIES).read_text(encoding="ascii").splitlines() if COPIES in header.files else []
    return {track_id: group for track_id, _, group in (line.partition(" ") for line in lines)}


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
    for name in (INDEX, TRACK_IDS, *({COPIES} & header.files.keys())):
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
