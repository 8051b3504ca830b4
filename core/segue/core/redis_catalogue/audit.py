"""Finds contradictions in the data of a catalogue in Redis, with the commands that repair them.

Lost data cannot be restored: an incomplete track is removed, so that the next run indexes its files again. Data that is
stored twice is repaired from the surviving copy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from redis import Redis
from redis.client import Pipeline

from segue.core.batching import batched
from segue.core.catalogue.finding import Finding
from segue.core.catalogue.records import PathRecord
from segue.core.catalogue.window_embeddings import unpack_windows
from segue.core.redis_catalogue.client import read_each, translating_errors
from segue.core.redis_catalogue.codec import (
    DIGEST,
    OWN,
    embedding_from_bytes,
    failure_from_bytes,
    file_to_bytes,
    track_digest,
    track_from_hash,
)
from segue.core.redis_catalogue.file_audit import NO_SIZE, NO_TRACK, PAGE, AuditReader, OwnMetadataAudit, record
from segue.core.redis_catalogue.keys import RedisKeys, to_bytes, to_text
from segue.core.redis_catalogue.state import revision_of, stream_bounds
from segue.core.redis_catalogue.transaction import TRIMMED

# Metadata, embedding and paths of a track, as Redis has them.
_RawTrack = tuple[dict[bytes, bytes], bytes | None, list[bytes]]


class RedisAudit:
    """Audits a catalogue while no process writes it."""

    def __init__(self, client: Redis, keys: RedisKeys, address: str, width: int) -> None:
        """Sends nothing yet.

        Args:
            client: a client of Redis.
            keys: the keys of the catalogue.
            address: the address of the Redis, for messages.
            width: the width of the catalogue's embeddings.
        """
        self._client: Any = client  # redis-py types its replies for all protocols at once
        self._keys = keys
        self._read = AuditReader(client, keys)
        self._own = OwnMetadataAudit(self._read, keys)
        self._address = address
        self._width = width

    @property
    def parts(self) -> tuple[Callable[[], list[Finding]], ...]:
        """The parts of the audit: each returns its findings, or raises ``StoreUnavailable`` if Redis does not answer.

        Repair the findings of a part before running the next one, which relies on the data that it checked.
        """
        files, tracks = (self._files, self._failures), (self._tracks, self._own.external_ids)
        return tuple(map(self._translating, (self._wrong_types, self._stray_tracks, *files, *tracks, self._events)))

    def _translating(self, part: Callable[[], Iterator[Finding]]) -> Callable[[], list[Finding]]:
        def run() -> list[Finding]:
            with translating_errors(self._address):
                return list(part())

        return run

    def _wrong_types(self) -> Iterator[Finding]:
        """Yields findings about keys of another type than Segue writes, which count as missing from then on."""
        for page in batched(self._client.scan_iter(match=self._keys.pattern, count=PAGE), PAGE):
            types = read_each(self._client, page, Pipeline.type)
            for key, kind in zip(page, types, strict=True):
                expected = self._keys.type_of(key)
                if expected is not None and kind not in {b"none", expected}:
                    problem = f"Its key {to_text(key)} has the type {to_text(kind)}, not {to_text(expected)}."
                    yield Finding(self._keys.track_of(key) or to_text(key), problem, (("DEL", key),))

    def _stray_tracks(self) -> Iterator[Finding]:
        """Yields findings about keys of tracks that are not among the ids."""
        strays = set[str]()
        for page in batched(self._client.scan_iter(match=self._keys.pattern, count=PAGE), PAGE):
            ids = sorted({track_id for key in page if (track_id := self._keys.track_of(key)) is not None})
            strays.update(track_id for track_id, listed in zip(ids, self._are_listed(ids), strict=True) if not listed)
        for track_id in sorted(strays):
            ((fields, embedding, paths),) = self._read_tracks([track_id])
            problem = self._problem(track_id, fields, embedding)
            if problem:
                yield self._removal(track_id, f"It is not among the ids. {problem}", paths)
            else:
                yield self._listing(track_id)

    def _listing(self, track_id: str) -> Finding:
        """Returns the finding that a complete track is missing from the ids."""
        add_id = ("ZADD", self._keys.track_ids, 0, to_bytes(track_id))
        add_event = ("add", self._keys.events, to_bytes(track_id))
        return Finding(track_id, "It is complete, but not among the ids.", (add_id, add_event))

    def _files(self) -> Iterator[Finding]:
        """Yields findings about files that their track does not list."""
        for page in batched(self._read.hash(self._keys.files), PAGE):
            records = [(path, record(path, raw).track_id) for path, raw in page]
            yield from (finding for path, raw in page for finding in self._own.file(path, raw))
            listed = self._are_listed([owner for _, owner in records])
            members = self._read.run_each("SISMEMBER", [(self._keys.paths(owner), path) for path, owner in records])
            for (path, owner), is_listed, is_member in zip(records, listed, members, strict=True):
                if not is_listed:
                    stray = f"It is a file of the track {owner}, which does not exist."
                    problem = "Its record is damaged." if owner == NO_TRACK else stray
                    yield Finding(to_text(path), problem, (("HDEL", self._keys.files, path),))
                elif not is_member:
                    add_path = ("SADD", self._keys.paths(owner), path)
                    yield Finding(to_text(path), f"It is not among the files of its track {owner}.", (add_path,))

    def _failures(self) -> Iterator[Finding]:
        """Yields findings about damaged records of failed files, which the next run examines again."""
        for path, raw in self._read.hash(self._keys.failures):
            try:
                failure_from_bytes(to_text(path), raw)
            except ValueError as error:
                problem = f"The record of its failure is damaged. {error}"
                yield Finding(to_text(path), problem, (("HDEL", self._keys.failures, path),))

    def _tracks(self) -> Iterator[Finding]:
        """Yields findings about incomplete tracks, and about tracks with wrong files."""
        for page in batched(self._ids(), PAGE):
            for track_id, (fields, embedding, paths) in zip(page, self._read_tracks(page), strict=True):
                problem = self._problem(track_id, fields, embedding)
                if problem is not None:
                    yield self._removal(track_id, problem, paths)
                else:
                    yield from self._paths(track_id, fields, paths)
            yield from self._windows(page)

    def _windows(self, track_ids: Sequence[str]) -> Iterator[Finding]:
        """Yields findings about damaged windows, which the track then has no longer."""
        packed = self._read.run_each("GET", [(self._keys.windows(track_id),) for track_id in track_ids])
        for track_id, raw in zip(track_ids, packed, strict=True):
            try:
                if raw is not None:
                    unpack_windows(raw, self._width)
            except ValueError as error:
                advice = "`segue-indexer reindex --keep-windows` computes them again."
                yield Finding(track_id, f"{error} {advice}", (("DEL", self._keys.windows(track_id)),))

    def _paths(self, track_id: str, fields: dict[bytes, bytes], paths: list[bytes]) -> Iterator[Finding]:
        """Yields findings about the files of a complete track."""
        records = self._read.records(paths)
        owners = {path: record and record.track_id for path, record in records.items()}
        own_paths = [path for path, owner in owners.items() if owner in {None, track_id}]
        if not own_paths:
            yield self._removal(track_id, "It has no file.", paths)
            return
        for path, owner in owners.items():
            if owner is None:
                add_record = ("HSET", self._keys.files, path, file_to_bytes(PathRecord("", NO_SIZE, 0, track_id)))
                yield Finding(to_text(path), f"It is a file of the track {track_id}, and has no record.", (add_record,))
            elif owner != track_id:
                remove_path = ("SREM", self._keys.paths(track_id), path)
                problem = f"It is a file of the track {owner}, but among the files of {track_id}."
                yield Finding(to_text(path), problem, (remove_path,))
        if fields.get(b"path") not in own_paths:
            set_path = ("HSET", self._keys.track(track_id), "path", min(own_paths))
            yield Finding(track_id, "Its path is not one of its files.", (set_path,))
        yield from self._own.track(track_id, fields, [record for path in own_paths if (record := records[path])])

    def _events(self) -> Iterator[Finding]:
        """Yields findings about gaps in the stream, and about contradictions to the ids if it was never trimmed."""
        newest = stream_bounds(self._client, self._keys)[1]
        trimmed = int(self._client.hget(self._keys.writer, TRIMMED) or 0)
        expected, ids = trimmed + 1, set[str]()
        for revision, kind, track_id in self._stream():
            if revision != expected or kind not in {b"add", b"remove"}:
                break
            expected += 1
            (ids.add if kind == b"add" else ids.discard)(track_id)
        if expected != newest + 1:
            # No event can be inserted into a stream. Readers that have not read that far read the tracks instead.
            yield Finding(f"event {expected}", "It is missing or damaged.", (("trim", self._keys.events, newest),))
        elif trimmed == 0:
            yield from self._missing_events(ids)

    def _missing_events(self, ids_by_events: set[str]) -> Iterator[Finding]:
        ids = set(self._ids())
        for track_id in sorted(ids - ids_by_events):
            add = ("add", self._keys.events, to_bytes(track_id))
            yield Finding(track_id, "It exists, but not by the events.", (add,))
        for track_id in sorted(ids_by_events - ids):
            remove = ("remove", self._keys.events, to_bytes(track_id))
            yield Finding(track_id, "It exists by the events only.", (remove,))

    def _removal(self, track_id: str, problem: str, paths: list[bytes]) -> Finding:
        """Returns a finding whose commands remove a track and the records of its files."""
        known = self._read.records(paths).items()
        records = [("HDEL", self._keys.files, path) for path, record in known if record and record.track_id == track_id]
        remove_id = ("ZREM", self._keys.track_ids, to_bytes(track_id))
        remove_event = ("remove", self._keys.events, to_bytes(track_id))
        return Finding(
            track_id,
            problem,
            (*records, *(("DEL", key) for key in self._keys.of_track(track_id)), remove_id, remove_event),
        )

    def _problem(self, track_id: str, fields: dict[bytes, bytes], embedding: bytes | None) -> str | None:
        """Returns what is wrong with a track's metadata or embedding, or None."""
        if not fields:
            return "It has no metadata."
        if embedding is None:
            return "It has no embedding."
        try:
            embedding_from_bytes(embedding, self._width)
            track_from_hash(track_id, {name: value for name, value in fields.items() if name != OWN})
        except ValueError as error:
            return str(error)
        if fields.get(DIGEST) != track_digest(fields, embedding):
            return "Its metadata or its embedding was changed: the digest differs."
        return None

    def _ids(self) -> Iterator[str]:
        if self._client.type(self._keys.track_ids) == b"zset":
            yield from (to_text(raw) for raw, _ in self._client.zscan_iter(self._keys.track_ids, count=PAGE))

    def _are_listed(self, track_ids: Sequence[str]) -> list[bool]:
        """Returns for each track whether it is among the ids."""
        scores = self._read.run_each("ZSCORE", [(self._keys.track_ids, to_bytes(track_id)) for track_id in track_ids])
        return [score is not None for score in scores]

    def _read_tracks(self, track_ids: list[str]) -> list[_RawTrack]:
        fields = self._read.run_each("HGETALL", [(self._keys.track(track_id),) for track_id in track_ids])
        embeddings = self._read.run_each("GET", [(self._keys.embedding(track_id),) for track_id in track_ids])
        paths = self._read.run_each("SMEMBERS", [(self._keys.paths(track_id),) for track_id in track_ids])
        return [
            (track_fields or {}, embedding, sorted(track_paths or ()))
            for track_fields, embedding, track_paths in zip(fields, embeddings, paths, strict=True)
        ]

    def _stream(self) -> Iterator[tuple[int, bytes | None, str]]:
        """Yields revision, kind and track of each event."""
        start = b"-"
        while entries := self._client.xrange(self._keys.events, min=start, count=PAGE):
            for entry_id, entry in entries:
                yield revision_of(entry_id), entry.get(b"kind"), to_text(entry.get(b"track", b""))
            start = b"(" + entries[-1][0]
