"""Reads the records of a catalogue for its audit, and finds contradictions in the metadata of owners in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

from redis import Redis

from segue.core.batching import batched
from segue.core.catalogue.finding import Finding
from segue.core.catalogue.own_metadata import own_of
from segue.core.catalogue.records import PathRecord
from segue.core.redis_catalogue.client import WrongType, read_each
from segue.core.redis_catalogue.codec import (
    OWN,
    file_from_bytes,
    file_to_bytes,
    own_from_bytes,
    own_to_bytes,
    split_file,
)
from segue.core.redis_catalogue.keys import RedisKeys, to_bytes, to_text

PAGE = 500
# A file with this size counts as changed: the next run indexes it again, and its track stays until then.
NO_SIZE = -1
NO_TRACK = "?"


class AuditReader:
    """Reads keys; one of the wrong type counts as missing."""

    def __init__(self, client: Redis, keys: RedisKeys) -> None:
        """Sends nothing yet.

        Args:
            client: a client of Redis.
            keys: the keys of the catalogue.
        """
        self._client: Any = client  # redis-py types its replies for all protocols at once
        self._keys = keys

    def hash(self, key: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yields the fields and values of a hash; nothing for a key of the wrong type, which counts as missing."""
        if self._client.type(key) == b"hash":
            yield from self._client.hscan_iter(key, count=PAGE)

    def records(self, paths: list[bytes]) -> dict[bytes, PathRecord | None]:
        """Returns the record of each file, or None for files without one; see ``record``."""
        values = self.run_each("HGET", [(self._keys.files, path) for path in paths])
        return {path: None if raw is None else record(path, raw) for path, raw in zip(paths, values, strict=True)}

    def run_each(self, command: str, arguments: Iterable[tuple[Any, ...]]) -> list[Any]:
        """Returns the replies to one command with different arguments; None for each key of the wrong type."""
        replies = read_each(self._client, arguments, lambda pipe, each: pipe.execute_command(command, *each))
        return [None if isinstance(reply, WrongType) else reply for reply in replies]


class OwnMetadataAudit:
    """Audits the metadata of owners, which a file has, its track, and the hash of external ids."""

    def __init__(self, reader: AuditReader, keys: RedisKeys) -> None:
        self._read = reader
        self._keys = keys

    def track(self, track_id: str, fields: dict[bytes, bytes], files: list[PathRecord]) -> Iterator[Finding]:
        """Yields a finding if the owner's metadata of a track are not those of its files."""
        raw = own_to_bytes(own_of(files))
        if fields.get(OWN, b"") != raw:
            key = self._keys.track(track_id)
            command = ("HSET", key, OWN, raw) if raw else ("HDEL", key, OWN)
            yield Finding(track_id, "Its own metadata are not those of its files.", (command,))

    def external_ids(self) -> Iterator[Finding]:
        """Yields findings about external ids that lead to no file, and about files to which their own do not lead."""
        key = self._keys.external_ids
        for page in batched(self._read.hash(key), PAGE):
            records = self._read.records([path for _, path in page])
            for raw, path in page:
                file = records[path]
                if file is None or to_bytes(file.own.external_id) != raw:
                    yield Finding(f"external id {to_text(raw)}", "No file has it.", (("HDEL", key, raw),))
        for page in batched(self._read.hash(self._keys.files), PAGE):
            files = [file for path, raw in page if (file := record(path, raw)).own.external_id]
            paths = self._read.run_each("HGET", [(key, to_bytes(file.own.external_id)) for file in files])
            holders = self._read.records([path for path in paths if path is not None])
            for file, path in zip(files, paths, strict=True):
                holder = holders.get(path)
                # One that leads to a file without it was found above, and is free when the audit runs again.
                if path is None or (holder is not None and holder.path != file.path and _has_same_id(holder, file)):
                    yield self._external_id(file, path)

    def _external_id(self, file: PathRecord, path: bytes | None) -> Finding:
        """Returns the finding that the external id of a file leads to another path, or to none."""
        if path is None:
            command = ("HSET", self._keys.external_ids, to_bytes(file.own.external_id), to_bytes(file.path))
            return Finding(file.path, f"Its external id {file.own.external_id} does not lead to it.", (command,))
        without = file_to_bytes(replace(file, own=replace(file.own, external_id="")))
        problem = f"Its external id {file.own.external_id} is that of {to_text(path)}."
        return Finding(file.path, problem, (("HSET", self._keys.files, to_bytes(file.path), without),))

    def file(self, path: bytes, raw: bytes) -> Iterator[Finding]:
        """Yields a finding if only the owner's metadata of a file are damaged; its track may have them, too."""
        known, own = split_file(raw)
        file = record(path, known)
        with suppress(ValueError):
            own_from_bytes(own)
            return
        (copy,) = self._read.run_each("HGET", [(self._keys.track(file.track_id), OWN)])
        (paths,) = self._read.run_each("SMEMBERS", [(self._keys.paths(file.track_id),)])
        with suppress(ValueError):
            if copy and paths == {path}:  # of several files, it may be that of another one
                file = replace(file, own=own_from_bytes(copy))
        lost = "" if file.own else " They are lost: add its manifest again."
        command = ("HSET", self._keys.files, path, file_to_bytes(file))
        yield Finding(file.path, f"Its own metadata are damaged.{lost}", (command,))


def _has_same_id(one: PathRecord, other: PathRecord) -> bool:
    return one.own.external_id == other.own.external_id


def record(path: bytes, raw: bytes) -> PathRecord:
    """Returns the record of a file; a damaged one has ``NO_TRACK``, and damaged metadata of the owner count as none."""
    for part in (raw, split_file(raw)[0]):
        try:
            return file_from_bytes(to_text(path), part)
        except ValueError:
            continue
    return PathRecord(to_text(path), NO_SIZE, 0, NO_TRACK)
