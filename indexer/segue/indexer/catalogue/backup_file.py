"""Reads and writes a backup: one file with all tracks and failures of a catalogue.

::

    segue-backup 1 <SHA-256 of the rest>
    gzip of one JSON document a line: the identity, then each track with its embedding and files, then each failure

The index and the events are not stored; they are rebuilt from the tracks.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from segue.core.catalogue.records import Addition, FailureRecord, Identity, PathRecord, Track, Vector
from segue.core.errors import BackupUnusable
from segue.core.files import atomic_write, sha256_of
from segue.core.redis_catalogue.codec import embedding_from_bytes

FORMAT_VERSION = 1
_MAGIC = f"segue-backup {FORMAT_VERSION} "
_HEAD_BYTES = len(_MAGIC) + 64 + 1
# The fastest level: embeddings are most of the file, and hardly compress.
_LEVEL = 1


@dataclass(frozen=True)
class Entry:
    """A track with all its data.

    Attributes:
        track: metadata and posterior.
        embedding: unit vector.
        files: records of its files, at least one.
    """

    track: Track
    embedding: Vector
    files: list[PathRecord]

    def additions(self) -> list[Addition]:
        """Returns the additions that write the track and its files to a catalogue."""
        return [Addition(self.track, self.embedding, file) for file in self.files]


def write_backup(path: Path, identity: Identity, entries: Iterable[Entry | FailureRecord]) -> None:
    """Writes a backup, which appears complete or not at all.

    Args:
        path: the file; an existing one is replaced.
        identity: identity of the catalogue.
        entries: its tracks, then its failures.

    Raises:
        OSError: the disk is full, or the folder cannot be written.
    """
    with atomic_write(path, mode=0o600) as file:
        file.write(bytes(_HEAD_BYTES))
        with gzip.open(file, "wb", _LEVEL) as packed:
            packed.write(_line({"identity": asdict(identity)}))
            for entry in entries:
                packed.write(_line(_to_json(entry)))
        file.seek(_HEAD_BYTES)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0)
        file.write(f"{_MAGIC}{digest}\n".encode("ascii"))


@contextmanager
def read_backup(path: Path) -> Iterator[tuple[Identity, Iterator[Entry | FailureRecord]]]:
    """Opens a backup whose digest matches, and yields the identity of the catalogue and its entries.

    Raises:
        BackupUnusable: the file cannot be opened, is not a backup, has another format, or is damaged; the entries raise
            it as well.
        OSError: the disk fails while the file is read.
    """
    with _open(path) as file:
        head = file.read(_HEAD_BYTES)
        if not head.startswith(b"segue-backup "):
            raise BackupUnusable(f"{path} is not a backup. Name a file that `segue-indexer backup` wrote.")
        if not head.startswith(_MAGIC.encode("ascii")):
            raise BackupUnusable(
                f"{path} has a format that this version of Segue cannot read. Use the one that wrote it."
            )
        if head[len(_MAGIC) :].strip() != sha256_of(path, _HEAD_BYTES).encode("ascii"):
            raise BackupUnusable(
                f"{path} is damaged: its digest does not match. Use another backup; nothing was changed."
            )
        with gzip.open(file, "rb") as packed:
            with _explaining_errors(path):
                identity = Identity(**json.loads(packed.readline())["identity"])
            yield identity, _entries(path, packed)


def _open(path: Path) -> BinaryIO:
    advice = "Name a file that `segue-indexer backup` wrote."
    try:
        if path.exists() and not path.is_file():  # it is read twice, and a pipe can be read only once
            raise BackupUnusable(f"{path} is not a regular file. {advice}")
        return path.open("rb")
    except OSError as error:
        raise BackupUnusable(f"{path} cannot be read: {error.strerror or error}. {advice}") from error


def _entries(path: Path, lines: Iterable[bytes]) -> Iterator[Entry | FailureRecord]:
    with _explaining_errors(path):
        yield from map(_from_json, lines)


@contextmanager
def _explaining_errors(path: Path) -> Iterator[None]:
    """Maps errors in the content to BackupUnusable. The digest matched, so another version wrote the content."""
    try:
        yield
    except (EOFError, KeyError, TypeError, ValueError, gzip.BadGzipFile, zlib.error) as error:
        raise BackupUnusable(
            f"{path} has content that this version of Segue cannot read ({type(error).__name__}: {error}). Use the one "
            "that wrote it; the catalogue is unchanged."
        ) from error


def _line(document: dict[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode("ascii") + b"\n"


def _to_json(entry: Entry | FailureRecord) -> dict[str, Any]:
    if isinstance(entry, FailureRecord):
        return {"failure": asdict(entry)}
    embedding = base64.b64encode(entry.embedding.astype("<f4").tobytes()).decode("ascii")
    files = [[file.path, file.size, file.mtime_ns, file.ctime_ns] for file in entry.files]
    return {"track": asdict(entry.track), "embedding": embedding, "files": files}


def _from_json(line: bytes) -> Entry | FailureRecord:
    document = json.loads(line)
    if "failure" in document:
        return FailureRecord(**document["failure"])
    track = Track.from_json(document["track"])
    embedding = embedding_from_bytes(base64.b64decode(document["embedding"]))
    # Earlier versions wrote no ctime.
    files = [
        PathRecord(path, size, mtime_ns, track.track_id, *more) for path, size, mtime_ns, *more in document["files"]
    ]
    return Entry(track, embedding, files)
