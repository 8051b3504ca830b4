"""Writes the catalogue, a batch of tracks to a transaction.

Only the holder of the lock writes, so what a transaction has to do is worked out beforehand; Redis then does all of it
or nothing, and only if the holder is still the holder and no event has come since.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from redis import Redis
from redis.exceptions import ResponseError

from segue.core.catalogue.store import Addition, FailureRecord
from segue.core.errors import CatalogueLocked
from segue.core.failpoints import Failpoint, reach
from segue.core.redis_catalogue.client import reaches_redis
from segue.core.redis_catalogue.codec import (
    embedding_to_bytes,
    failure_to_bytes,
    file_from_bytes,
    file_to_bytes,
    to_bytes,
    to_text,
    track_to_hash,
)
from segue.core.redis_catalogue.keys import RedisKeys
from segue.core.redis_catalogue.lock import WriterLock
from segue.core.redis_catalogue.staging import clear, switch

T = TypeVar("T")

TRIMMED = "trimmed"
"""The field of the writer's hash that holds the last revision that was trimmed off the stream."""

# A command of Redis, its key and its arguments. On the stream's key, "add" and "remove" write the event of a track, and
# "trim" drops the events up to a revision.
Command = tuple[Any, ...]

# Tracks in a transaction: enough to share one write to disk, few enough to keep Redis for a millisecond or two only.
BATCH = 64

# KEYS: writer, events, then whatever the commands touch. ARGV: token, revision before, revision after, then each
# command as its name, the place of its key among KEYS, the number of its arguments, and these.
_COMMIT = """
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return 'taken' end
local revision = 0
if redis.call('EXISTS', KEYS[2]) == 1 then
  local info = redis.call('XINFO', 'STREAM', KEYS[2])
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then revision = tonumber(string.match(info[i + 1], '^%d+')) end
  end
end
local before, after = tonumber(ARGV[2]), tonumber(ARGV[3])
if revision == after and after ~= before then return 'done' end -- the answer was lost, and the client asks again
if revision ~= before then return 'changed' end
local i = 4
while i <= #ARGV do
  local count = tonumber(ARGV[i + 2])
  redis.call(ARGV[i], KEYS[tonumber(ARGV[i + 1])], unpack(ARGV, i + 3, i + 2 + count))
  i = i + 3 + count
end
return 'done'
"""


class _Plan:
    """The commands of one transaction, and what the catalogue will be after them."""

    def __init__(self, keys: RedisKeys, revision: int) -> None:
        self._keys = keys
        self._places = {keys.writer: 1, keys.events: 2}
        self._commands: list[bytes | str | int] = []
        self.before = revision
        self.revision = revision
        self.embeddings: dict[str, bytes | None] = {}
        self.paths: dict[str, set[str]] = {}
        self.owners: dict[str, str] = {}

    @property
    def keys(self) -> list[bytes]:
        return list(self._places)

    @property
    def arguments(self) -> list[bytes | str | int]:
        return [self.before, self.revision, *self._commands]

    def put(self, addition: Addition, embedding: bytes) -> None:
        """Writes a track, its file, and an event where there is something new to search."""
        track_id, path = addition.track.track_id, addition.file.path
        owner = self.owners.get(path, track_id)
        if owner != track_id:
            self._leave(owner, path)
        fields = [part for pair in track_to_hash(addition.track, embedding).items() for part in pair]
        self._run("HSET", self._keys.track(track_id), *fields)
        self._run("HSET", self._keys.files, to_bytes(path), file_to_bytes(addition.file))
        self._run("SADD", self._keys.paths(track_id), to_bytes(path))
        self.clear(path)
        self.owners[path] = track_id
        self.paths[track_id].add(path)
        if self.embeddings[track_id] != embedding:
            self.embeddings[track_id] = embedding
            self._run("SET", self._keys.embedding(track_id), embedding)
            self._run("ZADD", self._keys.track_ids, 0, to_bytes(track_id))
            self._event("add", track_id)

    def drop(self, track_id: str) -> None:
        """Removes a track and everything known of it, if it is there."""
        if self.embeddings[track_id] is None:
            return
        for path in self.paths[track_id]:
            self._run("HDEL", self._keys.files, to_bytes(path))
            del self.owners[path]
        for key in (self._keys.track(track_id), self._keys.embedding(track_id), self._keys.paths(track_id)):
            self._run("DEL", key)
        self._run("ZREM", self._keys.track_ids, to_bytes(track_id))
        self.embeddings[track_id] = None
        self.paths[track_id] = set()
        self._event("remove", track_id)

    def forget(self, path: str) -> None:
        """Forgets a file, if it was ever indexed, and that it failed."""
        self.clear(path)
        owner = self.owners.get(path)
        if owner is None:
            return
        self._leave(owner, path)
        if self.owners.pop(path, None) is not None:  # else it went with its track
            self._run("HDEL", self._keys.files, to_bytes(path))

    def note(self, failure: FailureRecord) -> None:
        """Keeps how a file failed."""
        self._run("HSET", self._keys.failures, to_bytes(failure.path), failure_to_bytes(failure))

    def clear(self, path: str) -> None:
        """Forgets that a file failed, if it did."""
        self._run("HDEL", self._keys.failures, to_bytes(path))

    def _leave(self, track_id: str, path: str) -> None:
        """A file does not hold this track any more: it goes with its last file."""
        if self.paths[track_id] == {path}:
            self.drop(track_id)
            return
        self.paths[track_id].discard(path)
        self._run("SREM", self._keys.paths(track_id), to_bytes(path))
        self._run("HSET", self._keys.track(track_id), "path", to_bytes(min(self.paths[track_id])))

    def mend(self, commands: Sequence[Command]) -> None:
        """Does what an audit found to be done."""
        for name, key, *arguments in commands:
            if name in {"add", "remove"}:
                self._event(name, to_text(arguments[0]))
            elif name == "trim":
                self.trim(arguments[0])
            else:
                self._run(name, key, *arguments)

    def trim(self, revision: int) -> None:
        """Drops the events up to a revision, and keeps which: a missing event is told from one that was dropped."""
        self._run("XTRIM", self._keys.events, "MINID", f"{revision + 1}-0")
        self._run("HSET", self._keys.writer, TRIMMED, revision)

    def _event(self, kind: str, track_id: str) -> None:
        self.revision += 1
        self._run("XADD", self._keys.events, f"{self.revision}-0", "kind", kind, "track", to_bytes(track_id))

    def _run(self, command: str, key: bytes, *args: bytes | str | int) -> None:
        place = self._places.setdefault(key, len(self._places) + 1)
        self._commands += [command, place, len(args), *args]


class RedisWriter:
    """Writes the catalogue while its token stands; see ``TrackWriter``."""

    def __init__(self, client: Redis, keys: RedisKeys, lock: WriterLock, token: str, width: int) -> None:
        self.address = lock.address
        self._client = client
        self._keys = keys
        self._lock = lock
        self._token = token
        self._width = width
        self._commit_script = client.register_script(_COMMIT)
        # What a transaction does is worked out from what was read: one at a time.
        self._turn = threading.Lock()

    @reaches_redis
    def add(self, additions: Sequence[Addition]) -> int:
        """Writes tracks, ``BATCH`` to a transaction; see ``TrackWriter.add``."""
        embeddings = [embedding_to_bytes(addition.embedding, self._width) for addition in additions]
        with self._turn:
            revision = stream_bounds(self._client, self._keys)[1]
            for start in range(0, len(additions), BATCH):
                batch = additions[start : start + BATCH]
                plan = self._plan([a.track.track_id for a in batch], [a.file.path for a in batch])
                for addition, embedding in zip(batch, embeddings[start:], strict=False):
                    plan.put(addition, embedding)
                revision = self._commit(plan)
            return revision

    def remove(self, track_ids: Sequence[str]) -> int:
        """Removes tracks, ``BATCH`` to a transaction; see ``TrackWriter.remove``."""
        return self._write(track_ids, lambda some: self._plan(some, []), _Plan.drop)

    def forget(self, paths: Sequence[str]) -> int:
        """Forgets files, ``BATCH`` to a transaction; see ``TrackWriter.forget``."""
        return self._write(paths, lambda some: self._plan([], some), _Plan.forget)

    def note_failures(self, failures: Sequence[FailureRecord]) -> None:
        """Keeps how files failed, ``BATCH`` to a transaction; see ``TrackWriter.note_failures``."""
        self._write(failures, lambda _: self._plan([], []), _Plan.note)

    def clear_failures(self, paths: Sequence[str]) -> None:
        """Forgets that files failed, ``BATCH`` to a transaction; see ``TrackWriter.clear_failures``."""
        self._write(paths, lambda _: self._plan([], []), _Plan.clear)

    def trim(self, revision: int) -> None:
        """Drops the events up to a revision; see ``TrackWriter.trim``."""
        reach(Failpoint.BEFORE_TRIM)
        self._write([revision], lambda _: self._plan([], []), _Plan.trim)
        reach(Failpoint.AFTER_TRIM)

    @reaches_redis
    def switch(self) -> None:
        """Puts the catalogue that was made beside this one into its place, all at once; see ``redis_stage``."""
        reach(Failpoint.BEFORE_SWITCH)
        with self._turn:
            if not switch(self._client, self._keys, self._token):
                raise self._taken_over()
        reach(Failpoint.AFTER_SWITCH)

    @reaches_redis
    def clear_beside(self) -> None:
        """Removes what there is of a catalogue that was to be made beside this one."""
        clear(self._client, self._keys.beside())

    def mend(self, findings: Sequence[Sequence[Command]]) -> None:
        """Runs the commands of findings, those of each in one transaction; see ``RedisAudit``."""
        self._write(findings, lambda _: self._plan([], []), _Plan.mend)

    @reaches_redis
    def _write(
        self, things: Sequence[T], plan_for: Callable[[Sequence[T]], _Plan], note: Callable[[_Plan, T], None]
    ) -> int:
        """Plans each batch, notes in its plan what becomes of each thing, and commits it."""
        with self._turn:
            revision = stream_bounds(self._client, self._keys)[1]
            for start in range(0, len(things), BATCH):
                plan = plan_for(things[start : start + BATCH])
                for thing in things[start : start + BATCH]:
                    note(plan, thing)
                revision = self._commit(plan)
            return revision

    def _plan(self, track_ids: Sequence[str], paths: Sequence[str]) -> _Plan:
        """A plan that knows the tracks and files that it is about, and the tracks that the files hold now."""
        plan = _Plan(self._keys, stream_bounds(self._client, self._keys)[1])
        if paths:
            raw: list[Any] = self._client.hmget(self._keys.files, [to_bytes(path) for path in paths])
            files = [file_from_bytes(path, value) for path, value in zip(paths, raw, strict=True) if value]
            plan.owners = {file.path: file.track_id for file in files}
        known = list({*track_ids, *plan.owners.values()})
        pipe = self._client.pipeline(transaction=False)
        for track_id in known:
            pipe.get(self._keys.embedding(track_id))
            pipe.smembers(self._keys.paths(track_id))
        answers = pipe.execute()
        plan.embeddings = dict(zip(known, answers[::2], strict=True))
        plan.paths = {
            track_id: {to_text(path) for path in found} for track_id, found in zip(known, answers[1::2], strict=True)
        }
        plan.owners |= {path: track_id for track_id, found in plan.paths.items() for path in found}
        return plan

    def _commit(self, plan: _Plan) -> int:
        reach(Failpoint.BEFORE_COMMIT)
        answer = self._commit_script(plan.keys, [self._token, *plan.arguments])
        reach(Failpoint.AFTER_COMMIT)
        if answer == b"taken":
            raise self._taken_over()
        if answer == b"changed":
            raise CatalogueLocked(
                f"The catalogue at {self.address} is not at revision {plan.before} any more: its Redis was "
                "restored from older data, or something else writes to it. Run the same command again."
            )
        return plan.revision

    def _taken_over(self) -> CatalogueLocked:
        return CatalogueLocked(
            f"The catalogue at {self.address} {self._lock.loss()}. What was written there stays; when nobody else "
            "writes, run the same command again."
        )


def stream_bounds(client: Redis, keys: RedisKeys) -> tuple[int, int]:
    """The numbers of the oldest event that the stream holds and of the last that it ever took."""
    try:
        info: Any = client.xinfo_stream(keys.events)
    except ResponseError as error:
        if "no such key" not in str(error):
            raise
        return 1, 0
    last, first = revision_of(info["last-generated-id"]), info["first-entry"]
    return (revision_of(first[0]) if first else last + 1), last


def revision_of(entry_id: bytes) -> int:
    """The revision of an entry."""
    return int(entry_id.split(b"-")[0])
