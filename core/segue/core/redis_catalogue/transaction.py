"""Transactions on the catalogue, which Redis runs completely or not at all, and only after those before.

Each transaction of a writer leaves a mark. If the mark of the last one is missing, Redis has lost it, for example
because a replica took over that did not have it yet. Then the next one is refused: it was computed for other data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from segue.core.catalogue.finding import Command
from segue.core.catalogue.own_metadata import own_of
from segue.core.catalogue.records import Addition, FailureRecord, PathRecord, Track, new_mark
from segue.core.redis_catalogue.codec import OWN, failure_to_bytes, file_to_bytes, own_to_bytes, track_to_hash
from segue.core.redis_catalogue.keys import RedisKeys, to_bytes, to_text

TRIMMED = "trimmed"
"""The field of the writer's hash that has the last revision that was trimmed off the stream."""

# KEYS: writer, events, then the keys of the commands. ARGV: token, mark of the writer's last transaction or an empty
# text, mark of this one, revision before, then each command: its name, the index of its key in KEYS, the number of its
# arguments, and the arguments.
COMMIT_SCRIPT = """
local held = redis.call('HMGET', KEYS[1], 'token', 'commit')
if held[1] ~= ARGV[1] then return 'taken' end
if held[2] == ARGV[3] then return 'done' end -- the client repeats it, since the reply was lost
if (held[2] or '') ~= ARGV[2] then return 'lost' end
local revision = 0
if redis.call('EXISTS', KEYS[2]) == 1 then
  local info = redis.call('XINFO', 'STREAM', KEYS[2])
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then revision = tonumber(string.match(info[i + 1], '^%d+')) end
  end
end
if revision ~= tonumber(ARGV[4]) then return 'changed' end
redis.call('HSET', KEYS[1], 'commit', ARGV[3])
local i = 5
while i <= #ARGV do
  local count = tonumber(ARGV[i + 2])
  redis.call(ARGV[i], KEYS[tonumber(ARGV[i + 1])], unpack(ARGV, i + 3, i + 2 + count))
  i = i + 3 + count
end
return 'done'
"""

# Makes the staged generation the live one: a few writes, whatever the number of tracks. KEYS: the two writers, the
# number of the live generation, the list of replaced ones, the identities of the live generation and of the staged one.
# ARGV: token, marks of the writer's last transaction, of this one and of the last one of the staged generation's
# writer, then the numbers of both generations. A generation without an identity has no reader, so it may be removed at
# once.
SWITCH_SCRIPT = """
local held = redis.call('HMGET', KEYS[1], 'token', 'commit')
if held[1] ~= ARGV[1] then return 'taken' end
if held[2] == ARGV[3] then return 'done' end -- the client repeats it, since the reply was lost
if (held[2] or '') ~= ARGV[2] then return 'lost' end
if redis.call('EXISTS', KEYS[6]) == 0 or (redis.call('HGET', KEYS[2], 'commit') or '') ~= ARGV[4]
    or (redis.call('GET', KEYS[3]) or '0') ~= ARGV[5] then
  return 'lost'
end
local time, switched = redis.call('TIME'), 0
if redis.call('EXISTS', KEYS[5]) == 1 then switched = time[1] * 1000 + math.floor(time[2] / 1000) end
if redis.call('TYPE', KEYS[4]).ok ~= 'hash' then redis.call('UNLINK', KEYS[4]) end -- another program replaced it
redis.call('HSET', KEYS[4], ARGV[5], string.format('%.0f', switched))
redis.call('SET', KEYS[3], ARGV[6])
redis.call('HDEL', KEYS[1], 'trimmed')
local trimmed = redis.call('HGET', KEYS[2], 'trimmed')
if trimmed then redis.call('HSET', KEYS[1], 'trimmed', trimmed) end
redis.call('HSET', KEYS[1], 'commit', ARGV[3], 'generation', ARGV[6])
redis.call('UNLINK', KEYS[2])
return 'done'
"""

# Removes keys of a generation that is not live. KEYS: writer, the number of the live generation, then the keys. ARGV:
# token, the number that the writer takes for the live one.
REMOVE_SCRIPT = """
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return 'taken' end
if (redis.call('GET', KEYS[2]) or '0') ~= ARGV[2] then return 'lost' end
for i = 3, #KEYS do redis.call('UNLINK', KEYS[i]) end
return 'done'
"""


class Transaction:
    """The commands of one transaction, and the state of the catalogue after them.

    Attributes:
        before: the revision that the catalogue must have.
        revision: the revision after the transaction.
        mark: its mark, which its events have; see ``Event``.
        embeddings: the embedding of each track that it uses, as bytes, or None for a track that does not exist.
        paths: the paths of each of these tracks.
        owners: the track of each path.
        described: the record of each path that has metadata of its owner.
        external_ids: the path of each external id that the transaction uses.
        wrong_types: the keys of another type than Segue writes, which are deleted before they are written.
    """

    def __init__(self, keys: RedisKeys, revision: int) -> None:
        self._keys = keys
        self._key_numbers = {keys.writer: 1, keys.events: 2}
        self._commands: list[bytes | str | int] = []
        self.before = revision
        self.revision = revision
        self.mark = new_mark()
        self.embeddings: dict[str, bytes | None] = {}
        self.paths: dict[str, set[str]] = {}
        self.owners: dict[str, str] = {}
        self.described: dict[str, PathRecord] = {}
        self.external_ids: dict[str, str] = {}
        self.wrong_types: set[bytes] = set()

    @property
    def keys(self) -> list[bytes]:
        """The KEYS of ``COMMIT_SCRIPT``."""
        return list(self._key_numbers)

    @property
    def arguments(self) -> list[bytes | str | int]:
        """The ARGV of ``COMMIT_SCRIPT``, without the token and the mark of the last transaction."""
        return [self.mark, self.before, *self._commands]

    def put(self, addition: Addition, embedding: bytes) -> None:
        """Writes a track and its file, and an event if the embedding is new; see ``TrackWriter.add``."""
        track_id, path = addition.track.track_id, addition.file.path
        owner = self.owners.get(path, track_id)
        if owner != track_id:
            self._detach(owner, path)
        self._run("SADD", self._keys.paths(track_id), to_bytes(path))
        self.clear_failure(path)
        self.owners[path] = track_id
        self.paths[track_id].add(path)
        if path == min(self.paths[track_id]) or self.embeddings[track_id] is None:
            self._put_track(addition.track, embedding)
        if addition.windows:
            self._run("SET", self._keys.windows(track_id), addition.windows)
        self._put_file(addition.file)

    def describe(self, file: PathRecord) -> None:
        """Writes the record of a file whose track stays; see ``TrackWriter.describe``."""
        if self.owners.get(file.path) == file.track_id:
            self._put_file(file)

    def _put_file(self, file: PathRecord) -> None:
        """Writes the record of a file and the metadata of its track, and takes its external id from any other file."""
        path, external_id = file.path, file.own.external_id
        holder = self.described.get(self.external_ids.get(external_id, path))
        if holder is not None and holder.path != path:
            self._put_file(replace(holder, own=replace(holder.own, external_id="")))
        self._run("HSET", self._keys.files, to_bytes(path), file_to_bytes(file))
        was_described = self._release(path)
        if file.own:
            self.described[path] = file
        if external_id:
            self._run("HSET", self._keys.external_ids, to_bytes(external_id), to_bytes(path))
            self.external_ids[external_id] = path
        if was_described or file.own:
            self._describe(file.track_id)

    def _release(self, path: str) -> bool:
        """Forgets the owner's metadata of a file with its external id, and returns whether it had some."""
        file = self.described.pop(path, None)
        external_id = "" if file is None else file.own.external_id
        if external_id and self.external_ids.get(external_id) == path:
            self._run("HDEL", self._keys.external_ids, to_bytes(external_id))
            del self.external_ids[external_id]
        return file is not None

    def _describe(self, track_id: str) -> None:
        """Writes the owner's metadata of a track, those of the first file that has some."""
        own = own_of(self.described[path] for path in self.paths[track_id] if path in self.described)
        if own:
            self._run("HSET", self._keys.track(track_id), OWN, own_to_bytes(own))
        else:
            self._run("HDEL", self._keys.track(track_id), OWN)

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
            self._release(path)
            self._run("HDEL", self._keys.files, to_bytes(path))
            del self.owners[path]
        for key in self._keys.of_track(track_id):
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
        if self._release(path):
            self._describe(track_id)

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
        self._run("XADD", self._keys.events, f"{self.revision}-{self.mark}", "kind", kind, "track", to_bytes(track_id))

    def _run(self, command: str, key: bytes, *args: bytes | str | int) -> None:
        if key in self.wrong_types:
            self.wrong_types.remove(key)
            self._run("DEL", key)
        number = self._key_numbers.setdefault(key, len(self._key_numbers) + 1)
        self._commands += [command, number, len(args), *args]
