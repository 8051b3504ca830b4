"""Collects the commands of one transaction on the catalogue, which Redis runs completely or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redis import Redis
from redis.client import Pipeline

from segue.core.catalogue.finding import Command
from segue.core.catalogue.records import Addition, FailureRecord, Track
from segue.core.redis_catalogue.codec import failure_to_bytes, file_to_bytes, track_to_hash
from segue.core.redis_catalogue.keys import RedisKeys, to_bytes, to_text

TRIMMED = "trimmed"
"""The field of the writer's hash that has the last revision that was trimmed off the stream."""

# KEYS: writer, events, then the keys of the commands. ARGV: token, revision before, revision after, then each command:
# its name, the index of its key in KEYS, the number of its arguments, and the arguments.
COMMIT_SCRIPT = """
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return 'taken' end
local revision = 0
if redis.call('EXISTS', KEYS[2]) == 1 then
  local info = redis.call('XINFO', 'STREAM', KEYS[2])
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then revision = tonumber(string.match(info[i + 1], '^%d+')) end
  end
end
local before, after = tonumber(ARGV[2]), tonumber(ARGV[3])
if revision == after and after ~= before then return 'done' end -- the client repeats it, since the reply was lost
if revision ~= before then return 'changed' end
local i = 4
while i <= #ARGV do
  local count = tonumber(ARGV[i + 2])
  redis.call(ARGV[i], KEYS[tonumber(ARGV[i + 1])], unpack(ARGV, i + 3, i + 2 + count))
  i = i + 3 + count
end
return 'done'
"""


class Transaction:
    """The commands of one transaction, and the state of the catalogue after them.

    Attributes:
        before: the revision that the catalogue must have.
        revision: the revision after the transaction.
        embeddings: the embedding of each track that it uses, as bytes, or None for a track that does not exist.
        paths: the paths of each of these tracks.
        owners: the track of each path.
        wrong_types: the keys of another type than Segue writes, which are deleted before they are written.
    """

    def __init__(self, keys: RedisKeys, revision: int) -> None:
        self._keys = keys
        self._key_numbers = {keys.writer: 1, keys.events: 2}
        self._commands: list[bytes | str | int] = []
        self.before = revision
        self.revision = revision
        self.embeddings: dict[str, bytes | None] = {}
        self.paths: dict[str, set[str]] = {}
        self.owners: dict[str, str] = {}
        self.wrong_types: set[bytes] = set()

    @property
    def keys(self) -> list[bytes]:
        """The KEYS of ``COMMIT_SCRIPT``."""
        return list(self._key_numbers)

    @property
    def arguments(self) -> list[bytes | str | int]:
        """The ARGV of ``COMMIT_SCRIPT``, without the token."""
        return [self.before, self.revision, *self._commands]

    def put(self, addition: Addition, embedding: bytes) -> None:
        """Writes a track and its file, and an event if the embedding is new; see ``TrackWriter.add``."""
        track_id, path = addition.track.track_id, addition.file.path
        owner = self.owners.get(path, track_id)
        if owner != track_id:
            self._detach(owner, path)
        self._run("HSET", self._keys.files, to_bytes(path), file_to_bytes(addition.file))
        self._run("SADD", self._keys.paths(track_id), to_bytes(path))
        self.clear_failure(path)
        self.owners[path] = track_id
        self.paths[track_id].add(path)
        if path == min(self.paths[track_id]) or self.embeddings[track_id] is None:
            self._put_track(addition.track, embedding)

    def _put_track(self, track: Track, embedding: bytes) -> None:
        """Writes the metadata of a track, and its embedding and an event if the embedding is new."""
        track_id = track.track_id
        fields = [part for pair in track_to_hash(track, embedding).items() for part in pair]
        self._run("HSET", self._keys.track(track_id), *fields)
        if self.embeddings[track_id] != embedding:
            self.embeddings[track_id] = embedding
            self._run("SET", self._keys.embedding(track_id), embedding)
            self._run("ZADD", self._keys.track_ids, 0, to_bytes(track_id))
            self._event("add", track_id)

    def drop(self, track_id: str) -> None:
        """Removes a track with all its data, if it exists."""
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
        """Forgets a file and its failure, if there are any; also a record that is damaged, so that it has no track."""
        self.clear_failure(path)
        owner = self.owners.get(path)
        if owner is not None:
            self._detach(owner, path)
            if self.owners.pop(path, None) is None:  # it was removed with its track
                return
        self._run("HDEL", self._keys.files, to_bytes(path))

    def record_failure(self, failure: FailureRecord) -> None:
        """Records the failure of a file."""
        self._run("HSET", self._keys.failures, to_bytes(failure.path), failure_to_bytes(failure))

    def clear_failure(self, path: str) -> None:
        """Forgets the failure of a file, if there is one."""
        self._run("HDEL", self._keys.failures, to_bytes(path))

    def _detach(self, track_id: str, path: str) -> None:
        """Removes a file from a track, and the track with its last file."""
        if self.paths[track_id] <= {path}:
            self.drop(track_id)
            return
        self.paths[track_id].discard(path)
        self._run("SREM", self._keys.paths(track_id), to_bytes(path))
        self._run("HSET", self._keys.track(track_id), "path", to_bytes(min(self.paths[track_id])))

    def repair(self, commands: Sequence[Command]) -> None:
        """Adds the commands of an audit's finding."""
        for name, key, *arguments in commands:
            if name in {"add", "remove"}:
                self._event(name, to_text(arguments[0]))
            elif name == "trim":
                self.trim(arguments[0])
            else:
                self._run(name, key, *arguments)

    def trim(self, revision: int) -> None:
        """Drops the events up to a revision, and records it, so that an audit can recognize events that are missing."""
        self._run("XTRIM", self._keys.events, "MINID", f"{revision + 1}-0")
        self._run("HSET", self._keys.writer, TRIMMED, revision)

    def _event(self, kind: str, track_id: str) -> None:
        self.revision += 1
        self._run("XADD", self._keys.events, f"{self.revision}-0", "kind", kind, "track", to_bytes(track_id))

    def _run(self, command: str, key: bytes, *args: bytes | str | int) -> None:
        if key in self.wrong_types:
            self.wrong_types.remove(key)
            self._run("DEL", key)
        number = self._key_numbers.setdefault(key, len(self._key_numbers) + 1)
        self._commands += [command, number, len(args), *args]


def stream_bounds(client: Redis, keys: RedisKeys) -> tuple[int, int]:
    """Returns the revisions of the oldest event that the stream holds and of the newest that it ever held.

    A stream that is empty after trimming gives ``(newest + 1, newest)``, one that never had an event ``(1, 0)``.
    """
    pipe = client.pipeline(transaction=True)
    request_bounds(pipe, keys)
    return bounds_from(*pipe.execute(raise_on_error=False))


def request_bounds(pipe: Pipeline, keys: RedisKeys) -> None:
    """Adds the two commands whose replies ``bounds_from`` understands."""
    pipe.exists(keys.events)
    pipe.xinfo_stream(keys.events)  # fails if the stream does not exist


def bounds_from(exists: Any, info: Any) -> tuple[int, int]:  # noqa: ANN401 - replies of Redis
    """Returns what ``stream_bounds`` returns, from the replies to ``request_bounds``.

    Raises:
        RedisError: Redis refused a command.
    """
    if isinstance(exists, Exception):
        raise exists
    if not exists:
        return 1, 0
    if isinstance(info, Exception):
        raise info
    newest, first = revision_of(info["last-generated-id"]), info["first-entry"]
    return (revision_of(first[0]) if first else newest + 1), newest


def revision_of(entry_id: bytes) -> int:
    """Returns the revision of the event with this entry id in the stream."""
    return int(entry_id.split(b"-")[0])
