"""The protocols of a catalogue's store.

The store is the only source of truth: a track is in the catalogue if its event is in the stream, and every index is
built from the stream. ``segue.core.redis_catalogue.store`` is the real store, ``MemoryStore`` the one for unit tests.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from segue.core.catalogue.damaged_records import DamagedRecords
from segue.core.catalogue.feedback import Feedback
from segue.core.catalogue.identity import CatalogueState, Identity, ModelKey
from segue.core.catalogue.records import Addition, Event, FailureRecord, PathRecord, Track, TrackFacts, Vector
from segue.core.catalogue.window_embeddings import WindowEmbeddings
from segue.core.errors import CatalogueMismatch


class TrackStore(Protocol):
    """Reads the catalogue. Every method raises ``StoreUnavailable`` if the store does not answer.

    A damaged record counts as a missing one, and ``damaged`` remembers it.
    """

    @property
    def damaged(self) -> DamagedRecords:
        """The damaged records that were met."""
        ...

    def recheck_damaged(self) -> None:
        """Reads damaged records again, and forgets those that were repaired."""
        ...

    def ping(self) -> None:
        """Checks that the store answers, and first starts a private one again if it died."""
        ...

    def state(self) -> CatalogueState:
        """Returns the state of the catalogue, all of it at one moment."""
        ...

    def identity(self) -> Identity | None:
        """Returns the identity of the catalogue, or None before the first writer."""
        ...

    def revision(self) -> int:
        """Returns the revision of the newest event, or 0 if there is none."""
        ...

    def count(self) -> int:
        """Returns the number of tracks."""
        ...

    def record_feedback(self, feedback: Feedback) -> bool:
        """Records an action of a user; returns False if the same one was recorded within the last hour.

        The newest actions are kept, about ``MAX_ACTIONS`` of them.
        """
        ...

    def get(self, track_ids: Sequence[str]) -> list[Track | None]:
        """Returns the tracks with these ids, with None for unknown ids."""
        ...

    def facts(self, track_ids: Sequence[str]) -> list[TrackFacts | None]:
        """Returns the facts of these tracks, with None for unknown and damaged ones; cheaper than ``get``."""
        ...

    def write_mark(self) -> str:
        """Returns a text that changes when a writer begins or ends, and every few seconds while it holds the lock.

        As long as the mark stays the same, so does the catalogue, including the metadata that have no event.
        """
        ...

    def embeddings(self, track_ids: Sequence[str]) -> list[Vector | None]:
        """Returns the embeddings [e] of these tracks, with None for unknown ids."""
        ...

    def windows(self, track_ids: Sequence[str]) -> list[WindowEmbeddings | None]:
        """Returns the embeddings of these tracks' windows, with None for tracks without them."""
        ...

    def track_ids(self, after: str, limit: int) -> list[str]:
        """Returns up to ``limit`` ids in ascending order, starting after the id ``after``."""
        ...

    def files(self, paths: Sequence[str]) -> list[PathRecord | None]:
        """Returns the records of these paths, with None for files that were never indexed."""
        ...

    def external_paths(self, external_ids: Sequence[str]) -> list[str | None]:
        """Returns the paths of the files with these external ids, with None for unknown ids."""
        ...

    def paths(self, track_ids: Sequence[str]) -> list[list[str]]:
        """Returns the sorted paths of each track's files, with an empty list for unknown ids."""
        ...

    def all_files(self) -> Iterator[PathRecord]:
        """Yields the records of all files in any order.

        A file that changes meanwhile may come twice, or in its old or new state.
        """
        ...

    def failures(self, paths: Sequence[str]) -> list[FailureRecord | None]:
        """Returns the failures of these paths, with None for files that did not fail."""
        ...

    def all_failures(self) -> Iterator[FailureRecord]:
        """Yields the failures of all files in any order.

        A file that changes meanwhile may come twice, or in its old or new state.
        """
        ...

    def events(self, after: int, limit: int) -> list[Event]:
        """Returns up to ``limit`` events in ascending order after the revision ``after``, without damaged ones."""
        ...


class TrackWriter(Protocol):
    """Writes the catalogue while it holds the lock. Every method raises ``CatalogueLocked`` once the lock is lost."""

    def add(self, additions: Sequence[Addition]) -> int:
        """Writes tracks with their embeddings, files and events, each track in one transaction.

        - A known track gets the new file, and an event only if its embedding changed. Of several files with its audio,
          the first in the order of the paths gives it path, metadata and embedding.
        - A file that held another track now holds this one. A track without files is removed.
        - An earlier failure of the file is forgotten.

        Returns:
            The revision after the last track.

        Raises:
            EmbeddingUnusable: an embedding has another width than the catalogue, or its length is not 1; nothing is
                written.
        """
        ...

    def remove(self, track_ids: Sequence[str]) -> int:
        """Removes tracks with all their data, and skips unknown ids.

        Returns:
            The revision after the last track.
        """
        ...

    def forget(self, paths: Sequence[str]) -> int:
        """Forgets files and their failures, removes tracks without files, and skips unknown paths.

        Returns:
            The revision after the last file.
        """
        ...

    def describe(self, files: Sequence[PathRecord]) -> None:
        """Writes the records of files whose tracks stay, and skips files that are unknown or have another track.

        The track gets the owner's metadata of the first of its files that has some, without an event. An external id
        that another file has goes to this one, and the other file has none then.
        """
        ...

    def record_failures(self, failures: Sequence[FailureRecord]) -> None:
        """Records the failures of files; the tracks that they held before stay."""
        ...

    def trim(self, revision: int) -> None:
        """Drops the events up to a revision; readers that have not read them load a snapshot or all tracks."""
        ...

    def check_lock(self) -> None:
        """Checks that the lock is still held, before something is changed outside of the store."""
        ...

    def clear_failures(self, paths: Sequence[str]) -> None:
        """Forgets the failures of files, and nothing else about them."""
        ...


class WritableStore(TrackStore, Protocol):
    """Reads and writes the catalogue."""

    def writer(
        self, model_id: str, fingerprint: str, width: int, *, patience: float = 0.0
    ) -> AbstractContextManager[TrackWriter]:
        """Acquires the lock, and creates the catalogue if it does not exist.

        Args:
            model_id: id of the model.
            fingerprint: fingerprint of its front end.
            width: width of its embeddings.
            patience: seconds to wait while another writer holds the lock.

        Raises:
            CatalogueLocked: another writer holds the lock; the message names it.
            CatalogueMismatch: another model or front end built the catalogue; the message names both.
        """
        ...


def check_same_model(
    identity: Identity | None,
    model: ModelKey,
    address: str = "",
    advice: str = "Give --model the one that built it, or --data a new folder.",
) -> None:
    """Checks that a catalogue, if it exists, was built by this model and front end.

    Args:
        identity: identity of the catalogue, or None if it does not exist.
        model: key of the model.
        address: address of the store, unless the message goes to callers, who need not know it.
        advice: what to do if they differ.

    Raises:
        CatalogueMismatch: another model or front end built it.
    """
    if identity is not None and identity.key != model:
        place = f" at {address}" if address else ""
        raise CatalogueMismatch(
            f"The catalogue{place} was built by the model {identity.model_id} (front end {identity.fingerprint}, "
            f"width {identity.width}), and this is {model.model_id} (front end {model.fingerprint}, width "
            f"{model.width}). {advice}"
        )


def all_track_ids(store: TrackStore, page: int = 1_000) -> Iterator[str]:
    """Yields every id of a store in ascending order, reading ``page`` ids at a time."""
    after = ""
    while ids := store.track_ids(after, page):
        yield from ids
        after = ids[-1]
