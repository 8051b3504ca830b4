"""Reads and writes a backup: one file with all tracks and failures of a catalogue.

::

    segue-backup 1 <SHA-256 of the rest>
    gzip of one JSON document a line: the identity, then each track with its embedding and files, then each failure

Tracks are in the order of their ids. The index and the events are not stored; they are rebuilt from the tracks.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO

from segue.core.catalogue.identity import Identity
from segue.core.catalogue.records import FailureRecord
from segue.core.errors import BackupUnusable
from segue.core.files import atomic_write, sha256_of
from segue.indexer.catalogue.backup_lines import MAX_LINE_BYTES, Entry, identity_from_line, read_line, to_line

FORMAT_VERSION = 1
_MAGIC = f"segue-backup {FORMAT_VERSION} "
_HEAD_BYTES = len(_MAGIC) + 64 + 1
# The fastest level: embeddings are most of the file, and hardly compress.
_LEVEL = 1
# Entries that are restored together: enough to share their round trips, few enough that long lines fit into memory.
_PAGE_ENTRIES, _PAGE_BYTES = 500, 4 * 2**20


def write_backup(path: Path, identity: Identity, entries: Iterable[Entry | FailureRecord]) -> None:
    """Writes a backup, which appears complete or not at all.

    Args:
        path: the file; an existing one is replaced.
        identity: identity of the catalogue.
        entries: its tracks in the order of their ids, then its failures.

    Raises:
        BackupUnwritable: a track has so many files that it could not be restored.
        OSError: the disk is full, or the folder cannot be written.
    """
    with atomic_write(path, mode=0o600) as file:
        file.write(bytes(_HEAD_BYTES))
        with gzip.open(file, "wb", _LEVEL) as packed:
            packed.write(json.dumps({"identity": asdict(identity)}).encode("ascii") + b"\n")
            for entry in entries:
                packed.write(to_line(entry))
        file.seek(_HEAD_BYTES)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0)
        file.write(f"{_MAGIC}{digest}\n".encode("ascii"))


@contextmanager
def read_backup(path: Path) -> Iterator[tuple[Identity, Iterator[list[Entry | FailureRecord]]]]:
    """Opens a backup whose digest matches, and yields the identity of the catalogue and its entries, page by page.

    The digest says that the file is whole, not that Segue wrote it. So everything in it is checked, and it takes no
    more memory than one page, whatever it holds.

    Raises:
        BackupUnusable: the file cannot be opened, is not a backup, has another format, is damaged, or holds a value
            that no catalogue has; the pages raise it as well.
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
            lines = _lines(packed)
            with _explaining_errors(path):
                identity = identity_from_line(next(lines, b""))
            yield identity, _pages(path, lines, identity.width)


def _open(path: Path) -> BinaryIO:
    advice = "Name a file that `segue-indexer backup` wrote."
    try:
        if path.exists() and not path.is_file():  # it is read twice, and a pipe can be read only once
            raise BackupUnusable(f"{path} is not a regular file. {advice}")
        return path.open("rb")
    except OSError as error:
        raise BackupUnusable(f"{path} cannot be read: {error.strerror or error}. {advice}") from error


def _lines(packed: gzip.GzipFile) -> Iterator[bytes]:
    """Yields the lines, each bounded: a few bytes of gzip may unpack to gigabytes."""
    while line := packed.readline(MAX_LINE_BYTES + 1):
        if len(line) > MAX_LINE_BYTES:
            raise ValueError(f"A line is longer than {MAX_LINE_BYTES:,} bytes.")
        yield line


def _pages(path: Path, lines: Iterator[bytes], width: int) -> Iterator[list[Entry | FailureRecord]]:
    with _explaining_errors(path):
        page, size, last_id = list[Entry | FailureRecord](), 0, ""
        for line in lines:
            entry = read_line(line, width, after=last_id)
            last_id = entry.track.track_id if isinstance(entry, Entry) else last_id
            page.append(entry)
            size += len(line)
            if len(page) >= _PAGE_ENTRIES or size >= _PAGE_BYTES:
                yield page
                page, size = [], 0
        if page:
            yield page


@contextmanager
def _explaining_errors(path: Path) -> Iterator[None]:
    """Maps errors in the content to BackupUnusable. The digest matched, so another program wrote the content."""
    try:
        yield
    except (EOFError, ValueError, gzip.BadGzipFile, zlib.error) as error:
        raise BackupUnusable(
            f"{path} cannot be restored: {_sentence(error)} Use another backup, or the version of Segue that wrote "
            "this one; the catalogue is unchanged."
        ) from error


def _sentence(error: Exception) -> str:
    return str(error) if isinstance(error, ValueError) else f"It cannot be unpacked ({error})."
