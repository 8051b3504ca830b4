"""The catalogue in Redis: the truth that every index is made from."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, TypeVar

from segue.core.batching import batched
from segue.core.catalogue.records import Event, FailureRecord, Identity, PathRecord, Track, Vector
from segue.core.catalogue.store import check_same_model
from segue.core.errors import CatalogueLocked
from segue.core.model.model_key import ModelKey
from segue.core.redis_catalogue.audit import RedisAudit
from segue.core.redis_catalogue.client import (
    DEFAULT_TIMEOUTS,
    RedisTimeouts,
    address_of,
    connect,
    translates_errors,
    translating_errors,
)
from segue.core.redis_catalogue.codec import (
    embedding_from_bytes,
    failure_from_bytes,
    file_from_bytes,
    identity_from_hash,
    to_bytes,
    to_text,
    track_from_hash,
)
from segue.core.redis_catalogue.keys import RedisKeys
from segue.core.redis_catalogue.transaction import stream_bounds
from segue.core.redis_catalogue.writer import RedisWriter
from segue.core.redis_catalogue.writer_lock import LEASE_SECONDS, WriterLock

R = TypeVar("R")

# Answers of one round trip: enough to hide it, few enough not to hold a long list twice.
PAGE = 1_000


class RedisStore:
    """Reads and writes a catalogue in Redis; see ``WritableStore``. Its methods may be called from several threads."""

    def __init__(
        self,
        url: str,
        keys: RedisKeys | None = None,
        lease: float = LEASE_SECONDS,
        durable: Callable[[], AbstractContextManager[None]] = nullcontext,
        revive: Callable[[], None] = lambda: None,
        timeouts: RedisTimeouts = DEFAULT_TIMEOUTS,
    ) -> None:
        """Nothing is sent yet.

        Args:
            url: redis://, rediss:// or unix://.
            keys: the names of what is kept.
            lease: seconds that a writer which shows no sign of life is waited for.
            durable: entered while the catalogue is being written, to make the server sync every transaction to disk.
            revive: called by ``ping``, to start the server again if it is ours and died.
            timeouts: how long an answer is waited for.

        Raises:
            StoreUnavailable: it is not the address of a Redis.
        """
        self.address = address_of(url)
        self._url = url
        self._client = connect(url, timeouts)
        self._keys = keys or RedisKeys()
        self._lock = WriterLock(self._client, self.address, self._keys, lease)
        self._lease = lease
        self._durable = durable
        self._revive = revive

    @translates_errors
    def ping(self) -> None:
        """Does nothing, if Redis answers; a private one that died is started again first."""
        self._revive()
        self._client.ping()

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()

    @contextmanager
    def staging(self) -> Iterator[RedisStore]:
        """A catalogue that is being made beside this one; see ``RedisWriter.switch``."""
        store = RedisStore(self._url, self._keys.staging(), self._lease)  # it lasts as what is written here does
        try:
            yield store
        finally:
            store.close()

    @translates_errors
    def identity(self) -> Identity | None:
        """What the catalogue is, or None where nothing was ever written."""
        raw: Any = self._client.hgetall(self._keys.identity)
        return identity_from_hash(raw) if raw else None

    @translates_errors
    def revision(self) -> int:
        """The number of the last event, 0 where there is none."""
        return stream_bounds(self._client, self._keys)[1]

    @translates_errors
    def oldest_revision(self) -> int:
        """The number of the oldest event that the stream still holds, ``revision() + 1`` where it holds none."""
        return stream_bounds(self._client, self._keys)[0]

    @translates_errors
    def count(self) -> int:
        """How many tracks there are."""
        return int(self._client.zcard(self._keys.track_ids))

    @translates_errors
    def get(self, track_ids: Sequence[str]) -> list[Track | None]:
        """The tracks with these ids, None for each that is not there."""
        found: list[Track | None] = []
        for page in batched(track_ids, PAGE):
            pipe = self._client.pipeline(transaction=False)
            for track_id in page:
                pipe.hgetall(self._keys.track(track_id))
            answers: list[Any] = pipe.execute()
            found += [track_from_hash(name, raw) if raw else None for name, raw in zip(page, answers, strict=True)]
        return found

    @translates_errors
    def embeddings(self, track_ids: Sequence[str]) -> list[Vector | None]:
        """The embeddings [e] of these tracks, None for each that is not there."""
        found: list[Vector | None] = []
        for page in batched(track_ids, PAGE):
            answers: list[Any] = self._client.mget([self._keys.embedding(track_id) for track_id in page])
            found += [None if raw is None else embedding_from_bytes(raw) for raw in answers]
        return found

    @translates_errors
    def track_ids(self, after: str, limit: int) -> list[str]:
        """Up to ``limit`` ids in their order, from the first one behind ``after``."""
        least = b"(" + to_bytes(after) if after else b"-"
        raw: list[Any] = self._client.zrangebylex(self._keys.track_ids, least, b"+", start=0, num=limit)
        return [to_text(track_id) for track_id in raw]

    @translates_errors
    def files(self, paths: Sequence[str]) -> list[PathRecord | None]:
        """The records of these paths, None for each that was never indexed."""
        return self._records(self._keys.files, paths, file_from_bytes)

    @translates_errors
    def paths(self, track_ids: Sequence[str]) -> list[list[str]]:
        """The paths of the files that hold these tracks, in their order, none for a track that is not there."""
        found: list[list[str]] = []
        for page in batched(track_ids, PAGE):
            pipe = self._client.pipeline(transaction=False)
            for track_id in page:
                pipe.smembers(self._keys.paths(track_id))
            found += [sorted(to_text(path) for path in paths) for paths in pipe.execute()]
        return found

    def all_files(self) -> Iterator[PathRecord]:
        """The records of all files, in no order; one that changes meanwhile may come twice, or in either state."""
        with translating_errors(self.address):
            for path, raw in self._client.hscan_iter(self._keys.files, count=PAGE):
                yield file_from_bytes(to_text(path), raw)

    @translates_errors
    def failures(self, paths: Sequence[str]) -> list[FailureRecord | None]:
        """How these files failed, None for each that did not."""
        return self._records(self._keys.failures, paths, failure_from_bytes)

    def all_failures(self) -> Iterator[FailureRecord]:
        """All files that failed, in no order; one that changes meanwhile may come twice, or in either state."""
        with translating_errors(self.address):
            for path, raw in self._client.hscan_iter(self._keys.failures, count=PAGE):
                yield failure_from_bytes(to_text(path), raw)

    @translates_errors
    def events(self, after: int, limit: int) -> list[Event]:
        """Up to ``limit`` events in their order, from the first one behind ``after``."""
        entries: Any = self._client.xrange(self._keys.events, min=f"{after + 1}-0", count=limit)
        return [
            Event(int(entry_id.split(b"-")[0]), to_text(entry[b"kind"]), to_text(entry[b"track"]))  # type: ignore[arg-type] # written by us
            for entry_id, entry in entries
        ]

    def _records(self, key: bytes, paths: Sequence[str], read: Callable[[str, bytes], R]) -> list[R | None]:
        """What a hash holds by these paths."""
        found: list[R | None] = []
        for page in batched(paths, PAGE):
            answers: list[Any] = self._client.hmget(key, [to_bytes(path) for path in page])
            found += [None if raw is None else read(path, raw) for path, raw in zip(page, answers, strict=True)]
        return found

    def audit(self, width: int) -> RedisAudit:
        """What finds out whether all that Redis holds agrees; ``width`` is the length of an embedding."""
        return RedisAudit(self._client, self._keys, self.address, width)

    @contextmanager
    def writer(self, model_id: str, fingerprint: str, width: int) -> Iterator[RedisWriter]:
        """Takes the lock, and makes the catalogue if there is none yet; see ``WritableStore.writer``."""
        model = ModelKey(model_id, fingerprint, width)
        check_same_model(self.identity(), model, self.address)
        with self._lock.held() as token, self._durable():
            check_same_model(self._make_identity(token, model), model, self.address)
            yield RedisWriter(self._client, self._keys, self._lock, token, width)

    @translates_errors
    def _make_identity(self, token: str, model: ModelKey) -> Identity | None:
        made = self._client.register_script(_MAKE_IDENTITY)(
            [self._keys.writer, self._keys.identity],
            [token, str(uuid.uuid4()), *model],
        )
        if not made:
            raise CatalogueLocked(f"The catalogue at {self.address} {self._lock.loss()}.")
        return self.identity()


# KEYS: writer, identity. ARGV: token, uuid, model id, fingerprint, width. Answers 1, or 0 where the lock is lost.
_MAKE_IDENTITY = """
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return 0 end
if redis.call('EXISTS', KEYS[2]) == 0 then
  redis.call('HSET', KEYS[2], 'uuid', ARGV[2], 'model_id', ARGV[3], 'fingerprint', ARGV[4], 'width', ARGV[5])
end
return 1
"""
