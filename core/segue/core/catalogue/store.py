"""What the catalogue remembers of each track, and what any store of it can do.

The store is the truth: a track is in the catalogue when its event stands in the stream, and every index is made from
the stream. ``segue.core.redis_catalogue.store`` is the real one, ``MemoryStore`` the one for unit tests.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from segue.core.catalogue.records import Addition, Event, FailureRecord, Identity, PathRecord, Track, Vector
from segue.core.errors import CatalogueMismatch
from segue.core.model.model_key import ModelKey


class TrackStore(Protocol):
    """Reads the catalogue. Every method raises ``StoreUnavailable`` where the store does not answer."""

    def ping(self) -> None:
        """Does nothing, if the store answers; a private one that died is started again first."""
        ...

    def identity(self) -> Identity | None:
        """What the catalogue is, or None where nothing was ever written."""
        ...

    def revision(self) -> int:
        """The number of the last event, 0 where there is none."""
        ...

    def oldest_revision(self) -> int:
        """The number of the oldest event that the stream still holds, ``revision() + 1`` where it holds none."""
        ...

    def count(self) -> int:
        """How many tracks there are."""
        ...

    def get(self, track_ids: Sequence[str]) -> list[Track | None]:
        """The tracks with these ids, None for each that is not there."""
        ...

    def embeddings(self, track_ids: Sequence[str]) -> list[Vector | None]:
        """The embeddings [e] of these tracks, None for each that is not there."""
        ...

    def track_ids(self, after: str, limit: int) -> list[str]:
        """Up to ``limit`` ids in their order, from the first one behind ``after``."""
        ...

    def files(self, paths: Sequence[str]) -> list[PathRecord | None]:
        """The records of these paths, None for each that was never indexed."""
        ...

    def paths(self, track_ids: Sequence[str]) -> list[list[str]]:
        """The paths of the files that hold these tracks, in their order, none for a track that is not there."""
        ...

    def all_files(self) -> Iterator[PathRecord]:
        """The records of all files, in no order; one that changes meanwhile may come twice, or in either state."""
        ...

    def failures(self, paths: Sequence[str]) -> list[FailureRecord | None]:
        """How these files failed, None for each that did not."""
        ...

    def all_failures(self) -> Iterator[FailureRecord]:
        """All files that failed, in no order; one that changes meanwhile may come twice, or in either state."""
        ...

    def events(self, after: int, limit: int) -> list[Event]:
        """Up to ``limit`` events in their order, from the first one behind ``after``."""
        ...


class TrackWriter(Protocol):
    """Writes the catalogue while it holds the lock. Every method raises ``CatalogueLocked`` once the lock is lost."""

    def add(self, additions: Sequence[Addition]) -> int:
        """Writes tracks, their embeddings, files and events, each track in one transaction.

        A track that is there already gets the new metadata and file, and an event only if its embedding changed. A
        file that held another track before holds this one now; a track goes with its last file. That a file failed
        before is forgotten.

        Returns:
            The revision after the last of them.

        Raises:
            EmbeddingUnusable: an embedding has another width than the catalogue's, or its length is not 1; nothing is
                written then.
        """
        ...

    def remove(self, track_ids: Sequence[str]) -> int:
        """Removes tracks and everything known of them; answers the revision after the last of them.

        An id that is not there is passed over.
        """
        ...

    def forget(self, paths: Sequence[str]) -> int:
        """Forgets files, also that they failed, and a track with its last file; answers the revision after them.

        A path that was never indexed is passed over.
        """
        ...

    def note_failures(self, failures: Sequence[FailureRecord]) -> None:
        """Keeps how files failed; the track that a file held before stays."""
        ...

    def trim(self, revision: int) -> None:
        """Drops the events up to a revision: whoever has not read them reads a later snapshot, or the tracks."""
        ...

    def clear_failures(self, paths: Sequence[str]) -> None:
        """Forgets that files failed, and nothing else of them."""
        ...


class WritableStore(TrackStore, Protocol):
    """A store that can be written."""

    def writer(self, model_id: str, fingerprint: str, width: int) -> AbstractContextManager[TrackWriter]:
        """Takes the lock, and makes the catalogue if there is none yet.

        Raises:
            CatalogueLocked: another writer holds it; the message says who.
            CatalogueMismatch: the catalogue was made by another model or front end; the message names both.
        """
        ...


def check_same_model(found: Identity | None, model: ModelKey, address: str) -> None:
    """Checks that a catalogue, if there is one, was made by this model and front end.

    Raises:
        CatalogueMismatch: it was made by another.
    """
    if found is not None and found.key != model:
        raise CatalogueMismatch(
            f"The catalogue at {address} was made by the model {found.model_id} (front end {found.fingerprint}, "
            f"{found.width} numbers a track), and this is {model.model_id} (front end {model.fingerprint}, "
            f"{model.width}). Give --model the one that made it, or --data a new folder."
        )


def all_track_ids(store: TrackStore, page: int = 1_000) -> Iterator[str]:
    """Every id of a store, in their order."""
    after = ""
    while ids := store.track_ids(after, page):
        yield from ids
        after = ids[-1]
