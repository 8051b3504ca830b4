"""Writes the catalogue, a batch of tracks to a transaction.

Only the holder of the lock writes, so what a transaction has to do is worked out beforehand; Redis then does all of it
or nothing, and only if the holder is still the holder and no event has come since.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from redis import Redis

from segue.core.batching import batched
from segue.core.catalogue.finding import Command
from segue.core.catalogue.records import Addition, FailureRecord
from segue.core.errors import CatalogueLocked
from segue.core.failpoints import Failpoint, reach
from segue.core.redis_catalogue.client import translates_errors
from segue.core.redis_catalogue.codec import (
    embedding_to_bytes,
    file_from_bytes,
    to_bytes,
    to_text,
)
from segue.core.redis_catalogue.keys import RedisKeys
from segue.core.redis_catalogue.staging import clear, switch
from segue.core.redis_catalogue.transaction import _COMMIT, _Plan, stream_bounds
from segue.core.redis_catalogue.writer_lock import WriterLock

T = TypeVar("T")


# Tracks in a transaction: enough to share one write to disk, few enough to keep Redis for a millisecond or two only.
BATCH = 64


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

    @translates_errors
    def add(self, additions: Sequence[Addition]) -> int:
        """Writes tracks, ``BATCH`` to a transaction; see ``TrackWriter.add``."""
        embeddings = [embedding_to_bytes(addition.embedding, self._width) for addition in additions]
        with self._turn:
            revision = stream_bounds(self._client, self._keys)[1]
            for batch in batched(zip(additions, embeddings, strict=True), BATCH):
                plan = self._plan([a.track.track_id for a, _ in batch], [a.file.path for a, _ in batch])
                for addition, embedding in batch:
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

    @translates_errors
    def switch(self) -> None:
        """Puts the catalogue that was made beside this one into its place, all at once; see ``redis_stage``."""
        reach(Failpoint.BEFORE_SWITCH)
        with self._turn:
            if not switch(self._client, self._keys, self._token):
                raise self._taken_over()
        reach(Failpoint.AFTER_SWITCH)

    @translates_errors
    def clear_staging(self) -> None:
        """Removes what there is of a catalogue that was to be made beside this one."""
        clear(self._client, self._keys.staging())

    def mend(self, findings: Sequence[Sequence[Command]]) -> None:
        """Runs the commands of findings, those of each in one transaction; see ``RedisAudit``."""
        self._write(findings, lambda _: self._plan([], []), _Plan.mend)

    @translates_errors
    def _write(
        self, things: Sequence[T], plan_for: Callable[[Sequence[T]], _Plan], note: Callable[[_Plan, T], None]
    ) -> int:
        """Plans each batch, notes in its plan what becomes of each thing, and commits it."""
        with self._turn:
            revision = stream_bounds(self._client, self._keys)[1]
            for batch in batched(things, BATCH):
                plan = plan_for(batch)
                for thing in batch:
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
                f"The catalogue at {self.address} is no longer at revision {plan.before}: its Redis was "
                "restored from older data, or something else writes to it. Run the same command again."
            )
        return plan.revision

    def _taken_over(self) -> CatalogueLocked:
        return CatalogueLocked(
            f"The catalogue at {self.address} {self._lock.loss()}. What was written there stays; when nobody else "
            "writes, run the same command again."
        )
