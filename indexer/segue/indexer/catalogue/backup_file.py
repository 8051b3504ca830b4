"""A catalogue in one file.

::

    segue-backup 1 <SHA-256 of the rest>
    gzip of one JSON document a line: the identity, then each track with its embedding and files, then each failure

It holds what is true; the index and the events are made from that again.
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
from typing import Any

import numpy as np

from segue.core.catalogue.records import Addition, FailureRecord, Identity, PathRecord, Track, Vector
from segue.core.errors import BackupUnusable
from segue.core.files import atomic_write, sha256_of

FORMAT_VERSION = 1
_MAGIC = f"segue-backup {FORMAT_VERSION} "
_HEAD_BYTES = len(_MAGIC) + 64 + 1
# The quickest: most of it is embeddings, which hardly get smaller.
_LEVEL = 1


@dataclass(frozen=True)
class Entry:
    """A track with everything that is known of it."""

    track: Track
    embedding: Vector
    files: list[PathRecord]

    def additions(self) -> list[Addition]:
        """What writes it."""
        return [Addition(self.track, self.embedding, file) for file in self.files]


def write_backup(path: Path, identity: Identity, entries: Iterable[Entry | FailureRecord]) -> None:
    """Writes a backup, which appears whole by one rename.

    Args:
        path: the file; one that is there is replaced.
        identity: what the catalogue is.
        entries: its tracks, then the files that failed.

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
    """Opens a backup that was checked whole: what the catalogue was, and its entries.

    Raises:
        BackupUnusable: it is something else, of another format, or damaged; the entries raise it as well.
        OSError: it cannot be read.
    """
    if path.exists() and not path.is_file():  # it is read twice, which a pipe does not allow
        raise BackupUnusable(f"{path} is no file. Name a file that segue-indexer backup wrote.")
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
        if not head.startswith(b"segue-backup "):
            raise BackupUnusable(f"{path} is no backup of a catalogue. Name a file that segue-indexer backup wrote.")
        if not head.startswith(_MAGIC.encode("ascii")):
            raise BackupUnusable(f"{path} has a format that this Segue does not read. Take the one that wrote it.")
        if head[len(_MAGIC) :].strip() != sha256_of(path, _HEAD_BYTES).encode("ascii"):
            raise BackupUnusable(f"{path} is damaged: its digest is another. Take another backup; nothing was changed.")
        with gzip.open(file, "rb") as packed:
            with _understanding(path):
                identity = Identity(**json.loads(packed.readline())["identity"])
            yield identity, _entries(path, packed)


def _entries(path: Path, lines: Iterable[bytes]) -> Iterator[Entry | FailureRecord]:
    with _understanding(path):
        yield from map(_from_json, lines)


@contextmanager
def _understanding(path: Path) -> Iterator[None]:
    """Its digest is right, so nothing is damaged: what cannot be understood was written by another program."""
    try:
        yield
    except (EOFError, KeyError, TypeError, ValueError, gzip.BadGzipFile, zlib.error) as error:
        raise BackupUnusable(
            f"{path} holds what this Segue does not understand ({type(error).__name__}: {error}). Take the one that "
            "wrote it; the catalogue is as it was."
        ) from error


def _line(document: dict[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode("ascii") + b"\n"


def _to_json(entry: Entry | FailureRecord) -> dict[str, Any]:
    if isinstance(entry, FailureRecord):
        return {"failure": asdict(entry)}
    embedding = base64.b64encode(entry.embedding.astype("<f4").tobytes()).decode("ascii")
    files = [[file.path, file.size, file.mtime_ns] for file in entry.files]
    return {"track": asdict(entry.track), "embedding": embedding, "files": files}


def _from_json(line: bytes) -> Entry | FailureRecord:
    document = json.loads(line)
    if "failure" in document:
        return FailureRecord(**document["failure"])
    track = Track(**document["track"])
    embedding = np.frombuffer(base64.b64decode(document["embedding"]), "<f4").astype(np.float32, copy=False)
    files = [PathRecord(path, size, mtime_ns, track.track_id) for path, size, mtime_ns in document["files"]]
    return Entry(track, embedding, files)
