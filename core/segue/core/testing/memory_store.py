"""A catalogue in memory, for unit tests and for nothing else: it is lost with the process."""

from __future__ import annotations

import threading
import uuid
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Literal

from segue.core.catalogue.records import Addition, Event, FailureRecord, Identity, PathRecord, Track, Vector
from segue.core.catalogue.store import check_same_model
from segue.core.errors import CatalogueLocked
from segue.core.redis_catalogue.codec import embedding_from_bytes, embedding_to_bytes


class MemoryStore:
    """Keeps a catalogue in dictionaries; see ``WritableStore``."""

    address = "memory"

    def __init__(self) -> None:
        self._identity: Identity | None = None
        self._tracks: dict[str, Track] = {}
        self._embeddings: dict[str, bytes] = {}
        self._files: dict[str, PathRecord] = {}
        self._failures: dict[str, FailureRecord] = {}
        self._events: list[Event] = []
        self._trimmed = 0
        self._lock = threading.Lock()

    def ping(self) -> None:
        """Always answers."""

    def identity(self) -> Identity | None:
        """What the catalogue is, or None where nothing was ever written."""
        return self._identity

    def revision(self) -> int:
        """The number of the last event, 0 where there is none."""
        return self._trimmed + len(self._events)

    def oldest_revision(self) -> int:
        """The number of the oldest event that is kept, ``revision() + 1`` where none is."""
        return self._trimmed + 1

    def count(self) -> int:
        """How many tracks there are."""
        return len(self._tracks)

    def get(self, track_ids: Sequence[str]) -> list[Track | None]:
        """The tracks with these ids, None for each that is not there."""
        return [self._tracks.get(track_id) for track_id in track_ids]

    def embeddings(self, track_ids: Sequence[str]) -> list[Vector | None]:
        """The embeddings [e] of these tracks, None for each that is not there."""
        found = (self._embeddings.get(track_id) for track_id in track_ids)
        return [None if raw is None else embedding_from_bytes(raw) for raw in found]

    def track_ids(self, after: str, limit: int) -> list[str]:
        """Up to ``limit`` ids in their order, from the first one behind ``after``."""
        ordered = sorted(self._tracks)
        start = bisect_right(ordered, after)
        return ordered[start : start + limit]

    def files(self, paths: Sequence[str]) -> list[PathRecord | None]:
        """The records of these paths, None for each that was never indexed."""
        return [self._files.get(path) for path in paths]

    def paths(self, track_ids: Sequence[str]) -> list[list[str]]:
        """The paths of the files that hold these tracks, in their order, none for a track that is not there."""
        return [self._paths(track_id) for track_id in track_ids]

    def all_files(self) -> Iterator[PathRecord]:
        """The records of all files, as they are now."""
        return iter(list(self._files.values()))

    def failures(self, paths: Sequence[str]) -> list[FailureRecord | None]:
        """How these files failed, None for each that did not."""
        return [self._failures.get(path) for path in paths]

    def all_failures(self) -> Iterator[FailureRecord]:
        """All files that failed, as they are now."""
        return iter(list(self._failures.values()))

    def events(self, after: int, limit: int) -> list[Event]:
        """Up to ``limit`` events in their order, from the first one behind ``after``."""
        start = max(after - self._trimmed, 0)
        return self._events[start : start + limit]

    @contextmanager
    def writer(self, model_id: str, fingerprint: str, width: int) -> Iterator[MemoryWriter]:
        """Takes the lock, and makes the catalogue if there is none yet; see ``WritableStore.writer``."""
        wanted = Identity(str(uuid.uuid4()), model_id, fingerprint, width)
        check_same_model(self._identity, wanted.key, self.address)
        if not self._lock.acquire(blocking=False):
            raise CatalogueLocked("The catalogue is being written by another thread. Wait until it is done.")
        try:
            self._identity = self._identity or wanted
            yield MemoryWriter(self, width)
        finally:
            self._lock.release()

    def put(self, addition: Addition, embedding: bytes) -> None:
        """Writes a track, its file, and an event where there is something new to search."""
        track_id, path = addition.track.track_id, addition.file.path
        before = self._files.get(path)
        self._files[path] = addition.file
        self.clear(path)
        if before is not None and before.track_id != track_id:
            self._leave(before.track_id)
        self._tracks[track_id] = addition.track
        if self._embeddings.get(track_id) != embedding:
            self._embeddings[track_id] = embedding
            self._event("add", track_id)

    def drop(self, track_id: str) -> None:
        """Removes a track and everything known of it, if it is there."""
        if self._tracks.pop(track_id, None) is None:
            return
        del self._embeddings[track_id]
        self._files = {path: file for path, file in self._files.items() if file.track_id != track_id}
        self._event("remove", track_id)

    def forget(self, path: str) -> None:
        """Forgets a file, if it was ever indexed, and that it failed."""
        self.clear(path)
        file = self._files.pop(path, None)
        if file is not None:
            self._leave(file.track_id)

    def note(self, failure: FailureRecord) -> None:
        """Keeps how a file failed."""
        self._failures[failure.path] = failure

    def clear(self, path: str) -> None:
        """Forgets that a file failed, if it did."""
        self._failures.pop(path, None)

    def trim(self, revision: int) -> None:
        """Drops the events up to a revision."""
        self._events = self._events[max(revision - self._trimmed, 0) :]
        self._trimmed = max(revision, self._trimmed)

    def _paths(self, track_id: str) -> list[str]:
        return sorted(path for path, file in self._files.items() if file.track_id == track_id)

    def _leave(self, track_id: str) -> None:
        """A file does not hold this track any more: it goes with its last file."""
        left = self._paths(track_id)
        if left:
            self._tracks[track_id] = replace(self._tracks[track_id], path=left[0])
        else:
            self.drop(track_id)

    def _event(self, kind: Literal["add", "remove"], track_id: str) -> None:
        self._events.append(Event(self.revision() + 1, kind, track_id))


class MemoryWriter:
    """Writes a ``MemoryStore``; see ``TrackWriter``."""

    def __init__(self, store: MemoryStore, width: int) -> None:
        self._store = store
        self._width = width

    def add(self, additions: Sequence[Addition]) -> int:
        """Writes tracks; see ``TrackWriter.add``."""
        embeddings = [embedding_to_bytes(addition.embedding, self._width) for addition in additions]
        for addition, embedding in zip(additions, embeddings, strict=True):
            self._store.put(addition, embedding)
        return self._store.revision()

    def remove(self, track_ids: Sequence[str]) -> int:
        """Removes tracks; see ``TrackWriter.remove``."""
        for track_id in track_ids:
            self._store.drop(track_id)
        return self._store.revision()

    def forget(self, paths: Sequence[str]) -> int:
        """Forgets files; see ``TrackWriter.forget``."""
        for path in paths:
            self._store.forget(path)
        return self._store.revision()

    def note_failures(self, failures: Sequence[FailureRecord]) -> None:
        """Keeps how files failed; see ``TrackWriter.note_failures``."""
        for failure in failures:
            self._store.note(failure)

    def clear_failures(self, paths: Sequence[str]) -> None:
        """Forgets that files failed; see ``TrackWriter.clear_failures``."""
        for path in paths:
            self._store.clear(path)

    def trim(self, revision: int) -> None:
        """Drops the events up to a revision; see ``TrackWriter.trim``."""
        self._store.trim(revision)
