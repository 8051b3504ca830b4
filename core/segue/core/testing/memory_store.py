"""A catalogue in memory, for unit tests only."""

from __future__ import annotations

import threading
import uuid
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Literal

from segue.core.catalogue.damaged_records import DamagedRecords
from segue.core.catalogue.feedback import Feedback
from segue.core.catalogue.identity import CatalogueState, Identity
from segue.core.catalogue.own_metadata import own_of
from segue.core.catalogue.records import Addition, Event, FailureRecord, PathRecord, Track, TrackFacts, Vector, new_mark
from segue.core.catalogue.store import check_same_model
from segue.core.catalogue.window_embeddings import WindowEmbeddings, unpack_windows
from segue.core.errors import CatalogueLocked
from segue.core.redis_catalogue.codec import embedding_from_bytes, embedding_to_bytes


class MemoryStore:
    """A catalogue in dictionaries; see ``WritableStore``."""

    address = "memory"

    def __init__(self, identity: Identity | None = None) -> None:
        """Creates an empty catalogue.

        Args:
            identity: its identity, or None for one that the first writer creates.
        """
        self.damaged = DamagedRecords()
        self._identity = identity
        self._tracks: dict[str, Track] = {}
        self._embeddings: dict[str, bytes] = {}
        self._windows: dict[str, bytes] = {}
        self._files: dict[str, PathRecord] = {}
        self._failures: dict[str, FailureRecord] = {}
        self._external_ids: dict[str, str] = {}
        self._events: list[Event] = []
        self._feedback: set[Feedback] = set()
        self._trimmed = 0
        self._newest_mark = 0
        self._write_mark = 0
        self._writes = 0
        self._lock = threading.Lock()

    def ping(self) -> None:
        """Returns at once: memory always answers."""

    def recheck_damaged(self) -> None:
        """Returns at once: no record in memory is damaged."""

    def state(self) -> CatalogueState:
        """Returns the state of the catalogue."""
        counts = (self._trimmed + 1, self.revision(), len(self._tracks))
        return CatalogueState(self._identity, *counts, self._newest_mark, str(self._writes))

    def identity(self) -> Identity | None:
        """Returns the identity of the catalogue, or None before the first writer."""
        return self._identity

    def revision(self) -> int:
        """Returns the revision of the newest event, or 0 if there is none."""
        return self._trimmed + len(self._events)

    def count(self) -> int:
        """Returns the number of tracks."""
        return len(self._tracks)

    def get(self, track_ids: Sequence[str]) -> list[Track | None]:
        """Returns the tracks with these ids, with None for unknown ids."""
        return [self._tracks.get(track_id) for track_id in track_ids]

    def facts(self, track_ids: Sequence[str]) -> list[TrackFacts | None]:
        """Returns the facts of these tracks, with None for unknown ids."""
        return [None if track is None else TrackFacts.of(track) for track in self.get(track_ids)]

    def record_feedback(self, feedback: Feedback) -> bool:
        """Records an action of a user; returns False if it was recorded before, at any time."""
        with self._lock:
            is_new = feedback not in self._feedback
            self._feedback.add(feedback)
        return is_new

    def write_mark(self) -> str:
        """Returns the number of times that a writer has begun or ended."""
        return str(self._write_mark)

    def embeddings(self, track_ids: Sequence[str]) -> list[Vector | None]:
        """Returns the embeddings [e] of these tracks, with None for unknown ids."""
        values = (self._embeddings.get(track_id) for track_id in track_ids)
        return [None if raw is None else embedding_from_bytes(raw) for raw in values]

    def windows(self, track_ids: Sequence[str]) -> list[WindowEmbeddings | None]:
        """Returns the embeddings of these tracks' windows, with None for tracks without them."""
        values = (self._windows.get(track_id) for track_id in track_ids)
        return [None if raw is None else unpack_windows(raw) for raw in values]

    def track_ids(self, after: str, limit: int) -> list[str]:
        """Returns up to ``limit`` ids in ascending order, starting after the id ``after``."""
        ordered = sorted(self._tracks)
        start = bisect_right(ordered, after)
        return ordered[start : start + limit]

    def files(self, paths: Sequence[str]) -> list[PathRecord | None]:
        """Returns the records of these paths, with None for files that were never indexed."""
        return [self._files.get(path) for path in paths]

    def external_paths(self, external_ids: Sequence[str]) -> list[str | None]:
        """Returns the paths of the files with these external ids, with None for unknown ids."""
        return [self._external_ids.get(external_id) for external_id in external_ids]

    def paths(self, track_ids: Sequence[str]) -> list[list[str]]:
        """Returns the sorted paths of each track's files, with an empty list for unknown ids."""
        return [self._paths(track_id) for track_id in track_ids]

    def all_files(self) -> Iterator[PathRecord]:
        """Yields the present records of all files."""
        return iter(list(self._files.values()))

    def failures(self, paths: Sequence[str]) -> list[FailureRecord | None]:
        """Returns the failures of these paths, with None for files that did not fail."""
        return [self._failures.get(path) for path in paths]

    def all_failures(self) -> Iterator[FailureRecord]:
        """Yields the present failures of all files."""
        return iter(list(self._failures.values()))

    def events(self, after: int, limit: int) -> list[Event]:
        """Returns up to ``limit`` events in ascending order, starting after the revision ``after``."""
        start = max(after - self._trimmed, 0)
        return self._events[start : start + limit]

    @contextmanager
    def writer(self, model_id: str, fingerprint: str, width: int, *, patience: float = 0.0) -> Iterator[MemoryWriter]:
        """Acquires the lock, and creates the catalogue if it does not exist; see ``WritableStore.writer``."""
        new_identity = Identity(str(uuid.uuid4()), model_id, fingerprint, width)
        check_same_model(self._identity, new_identity.key, self.address)
        if not self._lock.acquire(timeout=patience):
            raise CatalogueLocked("The catalogue is being written by another thread. Wait until it is done.")
        self._write_mark += 1
        try:
            self._identity = self._identity or new_identity
            yield MemoryWriter(self, width)
        finally:
            self._write_mark += 1
            self._lock.release()

    def put(self, addition: Addition, embedding: bytes) -> None:
        """Writes a track and its file, and an event if the embedding is new."""
        track_id, path = addition.track.track_id, addition.file.path
        previous = self._files.get(path)
        self._put_file(addition.file)
        self.clear_failure(path)
        if previous is not None and previous.track_id != track_id:
            self._update_paths(previous.track_id)
        if track_id not in self._tracks or path == self._paths(track_id)[0]:
            self._writes += 1
            self._tracks[track_id] = addition.track
            if self._embeddings.get(track_id) != embedding:
                self._embeddings[track_id] = embedding
                self._event("add", track_id)
        if addition.windows:
            self._windows[track_id] = addition.windows
        self._describe(track_id)

    def describe(self, file: PathRecord) -> None:
        """Writes the record of a file whose track stays."""
        known = self._files.get(file.path)
        if known is not None and known.track_id == file.track_id:
            self._put_file(file)
            self._describe(file.track_id)

    def _put_file(self, file: PathRecord) -> None:
        holder = self._files.get(self._external_ids.get(file.own.external_id, file.path))
        if holder is not None and holder.path != file.path:
            self._put_file(replace(holder, own=replace(holder.own, external_id="")))
            self._describe(holder.track_id)
        self._release(file.path)
        self._files[file.path] = file
        if file.own.external_id:
            self._external_ids[file.own.external_id] = file.path

    def _release(self, path: str) -> None:
        """Forgets the external id of a file."""
        file = self._files.get(path)
        if file is not None and self._external_ids.get(file.own.external_id) == path:
            del self._external_ids[file.own.external_id]

    def _describe(self, track_id: str) -> None:
        """Updates the owner's metadata of a track."""
        self._writes += 1
        own = own_of(self._files[path] for path in self._paths(track_id))
        self._tracks[track_id] = replace(self._tracks[track_id], own=own)

    def drop(self, track_id: str) -> None:
        """Removes a track with all its data, if it exists."""
        if self._tracks.pop(track_id, None) is None:
            return
        self._writes += 1
        del self._embeddings[track_id]
        self._windows.pop(track_id, None)
        for path in self._paths(track_id):
            self._release(path)
        self._files = {path: file for path, file in self._files.items() if file.track_id != track_id}
        self._event("remove", track_id)

    def forget(self, path: str) -> None:
        """Forgets a file and its failure, if there are any."""
        self.clear_failure(path)
        self._release(path)
        file = self._files.pop(path, None)
        if file is not None:
            self._update_paths(file.track_id)

    def record_failure(self, failure: FailureRecord) -> None:
        """Records the failure of a file."""
        self._failures[failure.path] = failure

    def clear_failure(self, path: str) -> None:
        """Forgets the failure of a file, if there is one."""
        self._failures.pop(path, None)

    def trim(self, revision: int) -> None:
        """Drops the events up to a revision."""
        self._events = self._events[max(revision - self._trimmed, 0) :]
        self._trimmed = max(revision, self._trimmed)

    def _paths(self, track_id: str) -> list[str]:
        return sorted(path for path, file in self._files.items() if file.track_id == track_id)

    def _update_paths(self, track_id: str) -> None:
        """Updates a track that lost a file, and removes it with its last file."""
        paths = self._paths(track_id)
        if paths:
            self._writes += 1
            self._tracks[track_id] = replace(self._tracks[track_id], path=paths[0])
            self._describe(track_id)
        else:
            self.drop(track_id)

    def _event(self, kind: Literal["add", "remove"], track_id: str) -> None:
        self._newest_mark = new_mark()
        self._events.append(Event(self.revision() + 1, kind, track_id, self._newest_mark))


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

    def describe(self, files: Sequence[PathRecord]) -> None:
        """Writes the records of known files; see ``TrackWriter.describe``."""
        for file in files:
            self._store.describe(file)

    def record_failures(self, failures: Sequence[FailureRecord]) -> None:
        """Records the failures of files; see ``TrackWriter.record_failures``."""
        for failure in failures:
            self._store.record_failure(failure)

    def clear_failures(self, paths: Sequence[str]) -> None:
        """Forgets the failures of files; see ``TrackWriter.clear_failures``."""
        for path in paths:
            self._store.clear_failure(path)

    def check_lock(self) -> None:
        """Returns at once: the lock cannot be lost."""

    def trim(self, revision: int) -> None:
        """Drops the events up to a revision; see ``TrackWriter.trim``."""
        self._store.trim(revision)
