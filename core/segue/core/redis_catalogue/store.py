"""Reads the catalogue in Redis, and opens it for writing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from functools import partial
from itertools import chain
from typing import Any, TypeVar

from redis.client import Pipeline

from segue.core.batching import batched
from segue.core.catalogue.damaged_records import DamagedRecords, Kind
from segue.core.catalogue.feedback import Feedback
from segue.core.catalogue.identity import CatalogueState, Identity, ModelKey
from segue.core.catalogue.records import Event, FailureRecord, PathRecord, Track, TrackFacts, Vector
from segue.core.catalogue.store import check_same_model
from segue.core.catalogue.window_embeddings import WindowEmbeddings, unpack_windows
from segue.core.redis_catalogue.audit import RedisAudit
from segue.core.redis_catalogue.client import (
    DEFAULT_TIMEOUTS,
    RedisTimeouts,
    address_of,
    connect,
    read_each,
    read_embeddings,
    translates_errors,
    translating_errors,
)
from segue.core.redis_catalogue.codec import (
    FACTS,
    event_from_entry,
    facts_from_values,
    failure_from_bytes,
    file_from_bytes,
    identity_from_hash,
    sorted_texts,
    track_from_hash,
    vector_from_bytes,
)
from segue.core.redis_catalogue.feedback import record_feedback
from segue.core.redis_catalogue.keys import LiveKeys, RedisKeys, to_bytes, to_text
from segue.core.redis_catalogue.sentinel import primary_of
from segue.core.redis_catalogue.state import create_identity, read_state, stream_bounds
from segue.core.redis_catalogue.writer import RedisWriter
from segue.core.redis_catalogue.writer_lock import LEASE_SECONDS, WriterLock

R = TypeVar("R")

# Records in a round trip: enough to hide its time, few enough not to need twice the memory of a long list.
PAGE = 1_000


class RedisStore:
    """A catalogue in Redis; see ``WritableStore``. Several threads may call its methods at once.

    Attributes:
        address: the address of the Redis, without its password.
        damaged: the records that could not be read and were left out.
    """

    def __init__(
        self,
        url: str,
        keys: RedisKeys | None = None,
        lease: float = LEASE_SECONDS,
        durable: Callable[[], AbstractContextManager[None]] = nullcontext,
        restart_if_dead: Callable[[], None] = lambda: None,
        timeouts: RedisTimeouts = DEFAULT_TIMEOUTS,
    ) -> None:
        """Sends nothing yet.

        Args:
            url: address of the Redis or of its Sentinels; see ``connect``.
            keys: the keys of the catalogue, or None for those of the one in use.
            lease: seconds until the lock of a writer that shows no sign of life can be acquired by another.
            durable: context of all writing; makes the server sync every transaction to disk.
            restart_if_dead: starts a private server again if it died; ``ping`` calls it first.
            timeouts: limits on the time of a command.

        Raises:
            StoreUnavailable: the URL is not the address of a Redis.
        """
        self.address = address_of(url)
        self.damaged = DamagedRecords()
        self._url = url
        self._client = connect(url, timeouts)
        self._live = LiveKeys(self._client, keys or RedisKeys(), self.address)
        self._lock = WriterLock(self._client, self.address, keys or RedisKeys(), lease)
        self._lease = lease
        self._durable = durable
        self._restart_if_dead = restart_if_dead

    @translates_errors
    def ping(self) -> None:
        """Checks that Redis answers, and first starts a private one again if it died."""
        self._restart_if_dead()
        self._client.ping()

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()

    @property
    def place(self) -> str:
        """The address, and the primary that Sentinels named last."""
        primary = primary_of(self._client)
        return f"{self.address} (now {primary})" if primary else self.address

    @contextmanager
    def staging(self) -> Iterator[RedisStore]:
        """Opens the staged catalogue, which can take the place of this one once; see ``RedisWriter.switch``."""
        # The writer of this store makes it durable.
        with closing(RedisStore(self._url, self._keys.staging(), self._lease)) as store:
            yield store

    @translates_errors
    def state(self) -> CatalogueState:
        """Returns the state of the catalogue, and follows a switch; see ``read_state``."""
        return read_state(self._client, self._live)

    @translates_errors
    def identity(self) -> Identity | None:
        """Returns the identity of the catalogue, or None before the first writer, and follows a switch."""
        raw: Any = self._client.hgetall(self._live.refresh().identity)
        return identity_from_hash(raw) if raw else None

    @translates_errors
    def revision(self) -> int:
        """Returns the revision of the newest event, or 0 if there is none."""
        return stream_bounds(self._client, self._keys)[1]

    @translates_errors
    def count(self) -> int:
        """Returns the number of tracks."""
        return int(self._client.zcard(self._keys.track_ids))

    @translates_errors
    def get(self, track_ids: Sequence[str]) -> list[Track | None]:
        """Returns the tracks with these ids, with None for unknown ids and damaged tracks."""
        tracks: list[Track | None] = []
        keys = self._keys
        for page in batched(track_ids, PAGE):
            hashes = read_each(self._client, map(keys.track, page), Pipeline.hgetall)
            tracks += self.damaged.decode("track", page, [raw or None for raw in hashes], track_from_hash)
        return tracks

    @translates_errors
    def facts(self, track_ids: Sequence[str]) -> list[TrackFacts | None]:
        """Returns the facts of these tracks, with None for unknown and damaged ones."""
        ask, keys = (lambda pipe, key: pipe.hmget(key, FACTS)), self._keys
        pages = (read_each(self._client, map(keys.track, page), ask) for page in batched(track_ids, PAGE))
        return list(map(facts_from_values, track_ids, chain.from_iterable(pages)))

    @translates_errors
    def write_mark(self) -> str:
        """Returns a text that changes with every sign of life of a writer; see ``TrackStore.write_mark``."""
        values: list[Any] = self._client.hmget(self._keys.writer, [b"number", b"until", b"commit"])
        return b" ".join(value or b"" for value in values).decode()

    @translates_errors
    def embeddings(self, track_ids: Sequence[str]) -> list[Vector | None]:
        """Returns the embeddings [e] of these tracks, with None for unknown ids and damaged embeddings."""
        vectors: list[Vector | None] = []
        keys = self._keys
        for page in batched(track_ids, PAGE):
            width, values = read_embeddings(self._client, keys, page)
            vectors += self.damaged.decode("embedding", page, values, partial(vector_from_bytes, width))
        return vectors

    @translates_errors
    def windows(self, track_ids: Sequence[str]) -> list[WindowEmbeddings | None]:
        """Returns the embeddings of these tracks' windows, with None for tracks without them and damaged ones."""
        values: list[Any] = self._client.mget(list(map(self._keys.windows, track_ids))) if track_ids else []
        return self.damaged.decode("windows", track_ids, values, lambda _, raw: unpack_windows(raw))

    @translates_errors
    def track_ids(self, after: str, limit: int) -> list[str]:
        """Returns up to ``limit`` ids in ascending order, starting after the id ``after``."""
        start = b"(" + to_bytes(after) if after else b"-"
        ids: list[Any] = self._client.zrangebylex(self._keys.track_ids, start, b"+", start=0, num=limit)
        return [to_text(track_id) for track_id in ids]

    @translates_errors
    def files(self, paths: Sequence[str]) -> list[PathRecord | None]:
        """Returns the records of these paths, with None for files that were never indexed."""
        return self._records("file", self._keys.files, paths, file_from_bytes)

    @translates_errors
    def paths(self, track_ids: Sequence[str]) -> list[list[str]]:
        """Returns the sorted paths of each track's files, with an empty list for unknown ids."""
        sorted_paths: list[list[str]] = []
        keys = self._keys
        for page in batched(track_ids, PAGE):
            sets = read_each(self._client, map(keys.paths, page), Pipeline.smembers)
            decoded = self.damaged.decode("files of the track", page, sets, sorted_texts)
            sorted_paths += [paths or [] for paths in decoded]
        return sorted_paths

    @translates_errors
    def external_paths(self, external_ids: Sequence[str]) -> list[str | None]:
        """Returns the paths of the files with these external ids, with None for unknown ids."""
        return [raw and to_text(raw) for raw in self._values(self._keys.external_ids, external_ids)]

    def all_files(self) -> Iterator[PathRecord]:
        """Yields the records of all files in any order; see ``TrackStore.all_files``."""
        return self._scan("file", self._keys.files, file_from_bytes)

    @translates_errors
    def failures(self, paths: Sequence[str]) -> list[FailureRecord | None]:
        """Returns the failures of these paths, with None for files that did not fail."""
        return self._records("failure of the file", self._keys.failures, paths, failure_from_bytes)

    def all_failures(self) -> Iterator[FailureRecord]:
        """Yields the failures of all files in any order; see ``TrackStore.all_failures``."""
        return self._scan("failure of the file", self._keys.failures, failure_from_bytes)

    @translates_errors
    def events(self, after: int, limit: int) -> list[Event]:
        """Returns up to ``limit`` events in ascending order after the revision ``after``, without damaged ones."""
        entries: Any = self._client.xrange(self._keys.events, min=f"{after + 1}-0", count=limit)
        ids = [to_text(entry_id) for entry_id, _ in entries]
        events = self.damaged.decode("event", ids, [entry for _, entry in entries], event_from_entry)
        return [event for event in events if event is not None]

    @translates_errors
    def record_feedback(self, feedback: Feedback) -> bool:
        """Records an action of a user, unless it was recorded within the last hour; see ``TrackStore``."""
        return record_feedback(self._client, self._keys, feedback)

    def recheck_damaged(self) -> None:
        """Reads damaged records again, and forgets those that were repaired."""
        self.damaged.recheck("track", self.get)
        self.damaged.recheck("embedding", self.embeddings)
        self.damaged.recheck("windows", self.windows)
        self.damaged.recheck("files of the track", self.paths)
        self.damaged.recheck("file", self.files)
        self.damaged.recheck("failure of the file", self.failures)

    def _scan(self, kind: Kind, key: bytes, decode: Callable[[str, bytes], R]) -> Iterator[R]:
        """Yields the values of a hash, unless they are damaged."""
        with translating_errors(self.address):
            for path, raw in self._client.hscan_iter(key, count=PAGE):
                records = self.damaged.decode(kind, [to_text(path)], [raw], decode)
                yield from (record for record in records if record is not None)

    def _records(
        self, kind: Kind, key: bytes, paths: Sequence[str], decode: Callable[[str, bytes], R]
    ) -> list[R | None]:
        """Returns the values of a hash for these paths, with None for unknown paths."""
        return self.damaged.decode(kind, paths, self._values(key, paths), decode)

    def _values(self, key: bytes, names: Sequence[str]) -> list[Any]:
        """Returns the values of a hash for these fields, with None for unknown ones."""
        pages = (self._client.hmget(key, list(map(to_bytes, page))) for page in batched(names, PAGE))
        return [value for page in pages for value in page]

    def audit(self, width: int) -> RedisAudit:
        """Returns an audit of all data of the catalogue; ``width`` is the width of its embeddings."""
        return RedisAudit(self._client, self._keys, self.address, width)

    @contextmanager
    def writer(self, model_id: str, fingerprint: str, width: int, *, patience: float = 0.0) -> Iterator[RedisWriter]:
        """Acquires the lock, and creates the catalogue if it does not exist; see ``WritableStore.writer``."""
        model = ModelKey(model_id, fingerprint, width)
        check_same_model(self.identity(), model, self.address)
        with self._lock.held(patience) as token, self._durable():
            writer = self._begin(token, width)
            check_same_model(self._ensure_identity(token, model), model, self.address)
            yield writer

    @contextmanager
    def replacing_writer(self, *, patience: float = 0.0) -> Iterator[RedisWriter]:
        """Acquires the lock of a catalogue that is replaced as a whole by a staged one, however damaged it is.

        Args and errors are those of ``WritableStore.writer``.
        """
        with self._lock.held(patience) as token, self._durable():
            yield self._begin(token, width=0)

    @property
    @translates_errors
    def _keys(self) -> RedisKeys:
        return self._live.keys

    @translates_errors
    def _begin(self, token: str, width: int) -> RedisWriter:
        """Returns the writer of the generation that is live now, and removes what an earlier one left."""
        writer = RedisWriter(self._client, self._live, self._lock, token, width)
        writer.remove_replaced()
        return writer

    @translates_errors
    def _ensure_identity(self, token: str, model: ModelKey) -> Identity | None:
        outcome = create_identity(self._client, self._keys, token, model)
        if outcome != 1:
            raise self._live.loss(outcome) if outcome else self._lock.loss(token)
        return self.identity()
