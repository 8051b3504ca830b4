"""Plans one transaction on the catalogue, which Redis runs whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence

from redis import Redis

from segue.core.catalogue.finding import Command
from segue.core.catalogue.records import Addition, FailureRecord
from segue.core.redis_catalogue.codec import (
    failure_to_bytes,
    file_to_bytes,
    to_bytes,
    to_text,
    track_to_hash,
)
from segue.core.redis_catalogue.keys import RedisKeys

TRIMMED = "trimmed"
"""The field of the writer's hash that holds the last revision that was trimmed off the stream."""


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


def stream_bounds(client: Redis, keys: RedisKeys) -> tuple[int, int]:
    """Returns the revisions of the oldest event that the stream holds and of the newest that it ever held.

    A stream that is empty after trimming gives ``(newest + 1, newest)``, one that never had an event ``(1, 0)``.
    """
    pipe = client.pipeline(transaction=True)
    pipe.exists(keys.events)
    pipe.xinfo_stream(keys.events)  # fails if the stream does not exist
    exists, info = pipe.execute(raise_on_error=False)
    if not exists:
        return 1, 0
    if isinstance(info, Exception):
        raise info
    newest, first = revision_of(info["last-generated-id"]), info["first-entry"]
    return (revision_of(first[0]) if first else newest + 1), newest


def revision_of(entry_id: bytes) -> int:
    """Returns the revision of the event with this entry id in the stream."""
    return int(entry_id.split(b"-")[0])
