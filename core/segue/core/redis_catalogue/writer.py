"""Writes the catalogue, a batch of tracks in each transaction.

Only the holder of the lock writes. So it can compute the commands of a transaction beforehand. Redis then runs all of
them or none, and only if the token is still valid and no event was added meanwhile.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from redis import Redis
from redis.client import Pipeline

from segue.core.batching import batched
from segue.core.catalogue.finding import Command
from segue.core.catalogue.records import Addition, FailureRecord, PathRecord, new_mark
from segue.core.errors import CatalogueLocked
from segue.core.failpoints import Failpoint, reach
from segue.core.redis_catalogue.client import WrongType, read_each, translates_errors
from segue.core.redis_catalogue.codec import OWN, embedding_to_bytes, file_from_bytes
from segue.core.redis_catalogue.keys import LiveKeys, RedisKeys, to_bytes, to_text
from segue.core.redis_catalogue.state import stream_bounds
from segue.core.redis_catalogue.transaction import (
    COMMIT_SCRIPT,
    REMOVE_SCRIPT,
    SWITCH_SCRIPT,
    Transaction,
)
from segue.core.redis_catalogue.writer_lock import WriterLock

T = TypeVar("T")


# Tracks in a transaction: enough to share one write to disk, few enough to occupy Redis for only 1 to 2 ms.
BATCH = 64
# An embedding that differs from every other, for a track that has a key of the wrong type instead.
_UNUSABLE = b""
_SCANNED = 1_000
# Seconds in which a replaced generation stays: readers ask for the live one every second.
GRACE_SECONDS = 3.0


def _get_own(pipe: Pipeline, key: bytes) -> object:
    """Asks for the metadata of the owner of a track."""
    return pipe.hget(key, OWN)  # not HEXISTS, which users of earlier versions have no permission for


class RedisWriter:
    """Writes the catalogue while its token is valid; see ``TrackWriter``.

    Attributes:
        commit: the mark of its last transaction, or an empty text before the first.
    """

    def __init__(self, client: Redis, live: LiveKeys, lock: WriterLock, token: str, width: int) -> None:
        self.address = lock.address
        self._client = client
        self._live = live
        self._lock = lock
        self._token = token
        self._width = width
        self.commit = ""
        self._commit_script = client.register_script(COMMIT_SCRIPT)
        self._switch_script = client.register_script(SWITCH_SCRIPT)
        self._remove_script = client.register_script(REMOVE_SCRIPT)
        # Between reading the state and the commit, no other thread may commit.
        self._turn = threading.Lock()

    @property
    def _keys(self) -> RedisKeys:
        return self._live.keys

    @translates_errors
    def add(self, additions: Sequence[Addition]) -> int:
        """Writes tracks; see ``TrackWriter.add``."""
        embeddings = [embedding_to_bytes(addition.embedding, self._width) for addition in additions]
        with self._turn:
            revision = self._revision()
            for batch in batched(zip(additions, embeddings, strict=True), BATCH):
                files = [addition.file for addition, _ in batch]
                transaction = self._begin([file.track_id for file in files], [file.path for file in files], files)
                for addition, embedding in batch:
                    transaction.put(addition, embedding)
                revision = self._commit(transaction)
            return revision

    def remove(self, track_ids: Sequence[str]) -> int:
        """Removes tracks; see ``TrackWriter.remove``."""
        return self._write(track_ids, Transaction.drop, lambda batch: self._begin(batch, []))

    def forget(self, paths: Sequence[str]) -> int:
        """Forgets files; see ``TrackWriter.forget``."""
        return self._write(paths, Transaction.forget, lambda batch: self._begin([], batch))

    def describe(self, files: Sequence[PathRecord]) -> None:
        """Writes the records of known files; see ``TrackWriter.describe``."""
        self._write(files, Transaction.describe, self._begin_describing)

    def record_failures(self, failures: Sequence[FailureRecord]) -> None:
        """Records the failures of files; see ``TrackWriter.record_failures``."""
        self._write(failures, Transaction.record_failure)

    def clear_failures(self, paths: Sequence[str]) -> None:
        """Forgets the failures of files; see ``TrackWriter.clear_failures``."""
        self._write(paths, Transaction.clear_failure)

    def trim(self, revision: int) -> None:
        """Drops the events up to a revision; see ``TrackWriter.trim``."""
        reach(Failpoint.BEFORE_TRIM)
        self._write([revision], Transaction.trim)
        reach(Failpoint.AFTER_TRIM)

    @translates_errors
    def switch(self, staged: RedisWriter) -> None:
        """Replaces this catalogue by the staged one, all at once; see ``RedisStore.staging``.

        Afterwards the catalogue has another UUID, so every reader reloads it. The replaced one stays until
        ``remove_replaced``, for readers that do not know of the switch yet.

        Args:
            staged: the writer that filled the staged catalogue.
        """
        reach(Failpoint.BEFORE_SWITCH)
        with self._turn:
            old, new, mark = self._keys, self._keys.staging(), str(new_mark())
            keys = [old.writer, new.writer, old.live, old.replaced, old.identity, new.identity]
            marks = [self.commit, mark, staged.commit]
            self._check(self._switch_script(keys, [self._token, *marks, old.generation, new.generation]))
            self.commit = mark
            self._live.follow(b"%d" % new.generation)
        reach(Failpoint.AFTER_SWITCH)

    def clear_staging(self) -> None:
        """Removes the staged catalogue, also an unfinished one."""
        self._remove_generation(self._keys.staging())

    @translates_errors
    def remove_replaced(self, *, wait: bool = False) -> None:
        """Removes the generations that were replaced; one that was live until a moment ago only with ``wait``."""
        if self._live.refresh().is_staged:
            return
        (replaced,) = read_each(self._client, [self._keys.replaced], Pipeline.hgetall)
        if isinstance(replaced, WrongType):
            return
        for number, switched in replaced.items():
            if not wait and self._grace(switched) > 0:
                continue
            time.sleep(self._grace(switched))
            if number.isdigit() and int(number) < self._keys.generation:
                self._remove_generation(self._keys.at(int(number)))
            self._client.hdel(self._keys.replaced, number)

    def _grace(self, switched: bytes) -> float:
        """Returns the seconds for which a generation has to stay; not too many after a clock was set back."""
        seconds, microseconds = self._client.time()
        end = int(switched) / 1000 + GRACE_SECONDS if switched.isdigit() else 0
        return min(max(0.0, end - seconds - microseconds / 1_000_000), GRACE_SECONDS)

    @translates_errors
    def _remove_generation(self, keys: RedisKeys) -> None:
        """Removes all keys of a generation, a page at a time; Redis frees their memory in the background."""
        for page in batched(self._client.scan_iter(match=keys.pattern, count=_SCANNED), _SCANNED):
            own = list(filter(keys.is_own, page))
            script_keys = [self._keys.writer, self._keys.live, *own]
            self._check(self._remove_script(script_keys, [self._token, self._keys.generation]))

    def repair(self, findings: Sequence[Sequence[Command]]) -> None:
        """Runs the commands of findings, those of each in one transaction; see ``RedisAudit``."""
        self._write(findings, Transaction.repair)

    @translates_errors
    def _write(
        self,
        items: Sequence[T],
        add_commands: Callable[[Transaction, T], None],
        begin: Callable[[Sequence[T]], Transaction] | None = None,
    ) -> int:
        """Writes items, a batch in each transaction, and returns the revision after the last one.

        Args:
            items: the items to write.
            add_commands: adds the commands for one item to a transaction.
            begin: begins a transaction that knows the tracks and files of a batch, or None if it needs none.
        """
        with self._turn:
            revision = self._revision()
            for batch in batched(items, BATCH):
                transaction = begin(batch) if begin else Transaction(self._keys, self._revision())
                for item in batch:
                    add_commands(transaction, item)
                revision = self._commit(transaction)
            return revision

    def _revision(self) -> int:
        return stream_bounds(self._client, self._keys)[1]

    def _begin(self, track_ids: Sequence[str], paths: Sequence[str], files: Sequence[PathRecord] = ()) -> Transaction:
        """Begins a transaction that knows these tracks, these files, and the tracks in the files.

        Args:
            track_ids: ids of tracks.
            paths: paths of files.
            files: records to write; the files that have their external ids are known, too.
        """
        transaction = Transaction(self._keys, self._revision())
        self._check_main_keys()
        self._read_external_ids(transaction, [file.own.external_id for file in files])
        records = self._records([*{*paths, *transaction.external_ids.values()}])
        known_ids = list({*track_ids, *(record.track_id for record in records)})
        embeddings = self._read(transaction, map(self._keys.embedding, known_ids), Pipeline.get, _UNUSABLE)
        path_sets = self._read(transaction, map(self._keys.paths, known_ids), Pipeline.smembers, ())
        has_own = self._read(transaction, map(self._keys.track, known_ids), _get_own, None)
        transaction.embeddings = dict(zip(known_ids, embeddings, strict=True))
        transaction.paths = {
            track_id: {to_text(path) for path in raw_paths}
            for track_id, raw_paths in zip(known_ids, path_sets, strict=True)
        }
        # Those of a track may be many, and matter only where a file has metadata of its owner.
        described = [track_id for track_id, has in zip(known_ids, has_own, strict=True) if has]
        others = {path for track_id in described for path in transaction.paths[track_id]}
        records += self._records(sorted(others.difference(record.path for record in records)))
        transaction.owners = {record.path: record.track_id for record in records}
        transaction.owners |= {path: track_id for track_id, paths in transaction.paths.items() for path in paths}
        transaction.described = {record.path: record for record in records if record.own}
        self._read_external_ids(transaction, [record.own.external_id for record in transaction.described.values()])
        return transaction

    def _begin_describing(self, files: Sequence[PathRecord]) -> Transaction:
        return self._begin([], [file.path for file in files], files)

    def _read_external_ids(self, transaction: Transaction, external_ids: Sequence[str]) -> None:
        """Reads the paths of external ids, without empty ones."""
        wanted = sorted({external_id for external_id in external_ids if external_id} - transaction.external_ids.keys())
        if wanted:
            paths: list[Any] = self._client.hmget(self._keys.external_ids, list(map(to_bytes, wanted)))
            found = zip(wanted, paths, strict=True)
            transaction.external_ids |= {external_id: to_text(path) for external_id, path in found if path is not None}

    def _check_main_keys(self) -> None:
        """Fails if a main key has another type: Redis would stop in the middle of a transaction that writes it."""
        pipe = self._client.pipeline(transaction=False)
        pipe.hlen(self._keys.files)
        pipe.hlen(self._keys.failures)
        pipe.hlen(self._keys.external_ids)
        pipe.zcard(self._keys.track_ids)
        pipe.execute()

    def _records(self, paths: Sequence[str]) -> list[PathRecord]:
        """Returns the records of files; a damaged record counts as none."""
        values: list[Any] = self._client.hmget(self._keys.files, list(map(to_bytes, paths))) if paths else []
        records: list[PathRecord] = []
        for path, raw in zip(paths, values, strict=True):
            with suppress(ValueError):
                records += [file_from_bytes(path, raw)] if raw else []
        return records

    def _read(
        self,
        transaction: Transaction,
        keys: Iterable[bytes],
        add_command: Callable[[Pipeline, bytes], object],
        default: object,
    ) -> list[Any]:
        """Returns the replies to a command; a key of the wrong type is replaced when the transaction writes it."""
        keys = list(keys)
        replies = read_each(self._client, keys, add_command)
        transaction.wrong_types.update(
            key for key, reply in zip(keys, replies, strict=True) if isinstance(reply, WrongType)
        )
        return [default if isinstance(reply, WrongType) else reply for reply in replies]

    @translates_errors
    def check_lock(self) -> None:
        """Checks that the lock is still held; see ``TrackWriter.check_lock``."""
        if not self._lock.is_held(self._token):
            raise self._lock.loss(self._token)

    def _commit(self, transaction: Transaction) -> int:
        reach(Failpoint.BEFORE_COMMIT)
        outcome = self._commit_script(transaction.keys, [self._token, self.commit, *transaction.arguments])
        reach(Failpoint.AFTER_COMMIT)
        self._check(outcome)
        self.commit = str(transaction.mark)
        return transaction.revision

    def _check(self, outcome: Any) -> None:  # noqa: ANN401 - redis-py types its replies for all protocols at once
        """Checks the reply of a script that writes."""
        if outcome == b"taken":
            raise self._lock.loss(self._token)
        if outcome != b"done":
            raise CatalogueLocked(
                f"The catalogue at {self.address} lacks the last writes of this run, or has others: a replica took "
                "over before it had them, its Redis was restored from older data, or another program writes to it. "
                "Run the same command again, which writes again what is missing."
            )
