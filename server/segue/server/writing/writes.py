"""Writes to the catalogue from all calls, in one thread, as many as wait at once in one turn at the lock."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack

from segue.core.catalogue.store import WritableStore, check_same_model
from segue.core.errors import CatalogueMismatch, Overloaded, WritesDisabled
from segue.core.model.artifact import Manifest
from segue.server.live_catalogue.successor import OTHER_MODEL_ADVICE
from segue.server.writing.apply import Outcome, apply
from segue.server.writing.jobs import MAX_JOBS, Job, Written

PATIENCE_SECONDS = 10.0
"""Time to wait while another program writes the catalogue: ``segue-indexer watch`` holds the lock for seconds."""

# After so many seconds of one turn after the other comes a pause, in which a program that waits for the lock gets it.
_TURNS_SECONDS, _PAUSE_SECONDS = 1.0, 0.1
# 32 streams may have 64 each.
_MAX_PENDING = 2_048
OpenStore = Callable[[], AbstractContextManager[WritableStore]]
"""Opens the catalogue."""


class CatalogueWrites:
    """Writes what callers ask for."""

    def __init__(
        self, manifest: Manifest, open_store: OpenStore, remember: Callable[[], None], *, is_allowed: bool
    ) -> None:
        """Opens nothing yet.

        Args:
            manifest: manifest of the model that must have built the catalogue.
            open_store: opens the catalogue at the first write.
            remember: called before the first write, to keep where the model is.
            is_allowed: False for a server that only reads.
        """
        self._manifest = manifest
        self._open_store, self._remember, self._is_allowed = open_store, remember, is_allowed
        self._resources = ExitStack()
        self._store: WritableStore | None = None
        self._pending: deque[tuple[Job, asyncio.Future[Written]]] = deque()
        self._draining: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="write")

    def check_allowed(self) -> None:
        """Checks that the server writes.

        Raises:
            WritesDisabled: it only reads.
        """
        if not self._is_allowed:
            raise WritesDisabled(
                "This server only reads the catalogue. Ask its operator to start it with --allow-writes."
            )

    async def write(self, job: Job) -> Written:
        """Writes, and returns when it is in the catalogue; a write that has begun ends even if this is cancelled.

        Raises:
            WritesDisabled: the server only reads.
            Overloaded: too many writes wait.
            TrackNotFound: the catalogue has no such track.
            CatalogueLocked: another program writes the catalogue all the time.
            CatalogueMismatch: another model has built it.
            StoreUnavailable: the store does not answer.
        """
        self.check_allowed()
        if len(self._pending) >= _MAX_PENDING:
            raise Overloaded(f"{len(self._pending)} writes are queued already. Try again in a second.")
        written: asyncio.Future[Written] = asyncio.get_running_loop().create_future()
        self._pending.append((job, written))
        if self._draining is None or self._draining.done():
            self._draining = asyncio.create_task(self._drain())
        return await written

    def close(self) -> None:
        """Waits for the writes that have begun, and closes the catalogue."""
        self._thread.shutdown(cancel_futures=True)
        self._resources.close()

    async def _drain(self) -> None:
        begun = time.monotonic()
        while self._pending:
            if time.monotonic() - begun > _TURNS_SECONDS:
                await asyncio.sleep(_PAUSE_SECONDS)
                begun = time.monotonic()
            turn = [self._pending.popleft() for _ in range(min(len(self._pending), MAX_JOBS))]
            waiting = [(job, written) for job, written in turn if not written.done()]
            outcomes = await self._write([job for job, _ in waiting])
            for (_, written), outcome in zip(waiting, outcomes, strict=True):
                _settle(written, outcome)

    async def _write(self, jobs: Sequence[Job]) -> Sequence[Outcome | Exception]:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._write_now, jobs)
        except Exception as error:  # noqa: BLE001 - each caller gets it
            return [error] * len(jobs)

    def _write_now(self, jobs: Sequence[Job]) -> list[Outcome]:
        if self._store is None:
            self._store = self._resources.enter_context(self._open_store())
            self._remember()
        self._store.ping()  # starts a private one again if it died
        try:
            with self._store.writer(*self._manifest.key, patience=PATIENCE_SECONDS) as writer:
                return apply(jobs, self._store, writer)
        except CatalogueMismatch:  # the message has the address of the store, which callers need not know
            check_same_model(self._store.identity(), self._manifest.key, advice=OTHER_MODEL_ADVICE)
            raise


def _settle(written: asyncio.Future[Written], outcome: Outcome | Exception) -> None:
    if written.done():  # its caller has left
        return
    if isinstance(outcome, Exception):
        written.set_exception(outcome)
    else:
        written.set_result(outcome)
