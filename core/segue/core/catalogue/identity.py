"""The identity of a catalogue, of the model that built it, and its state."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple


class ModelKey(NamedTuple):
    """The properties that embeddings must share to be comparable.

    Attributes:
        model_id: id of the artifact.
        fingerprint: fingerprint of its front end.
        width: width of an embedding.
    """

    model_id: str
    fingerprint: str
    width: int


@dataclass(frozen=True)
class Identity:
    """The identity of a catalogue, and the model that its embeddings come from.

    Attributes:
        uuid: random id of the catalogue.
        model_id: id of the artifact that made every embedding.
        fingerprint: fingerprint of the artifact's front end.
        width: width of an embedding.
    """

    uuid: str
    model_id: str
    fingerprint: str
    width: int

    @property
    def key(self) -> ModelKey:
        """The model that built the catalogue."""
        return ModelKey(self.model_id, self.fingerprint, self.width)


@dataclass(frozen=True)
class CatalogueState:
    """The state of a catalogue at one moment; it differs after each change of a track.

    Attributes:
        identity: its identity, or None before the first writer.
        oldest_revision: revision of the oldest event in the stream, or ``revision + 1`` if the stream is empty.
        revision: revision of the newest event, or 0 if there is none.
        tracks: number of tracks.
        mark: mark of the newest event, or 0 if there is none.
        last_write: text that differs after each transaction of a writer, including those without an event, as of new
            titles; None if the store does not know.
    """

    identity: Identity | None
    oldest_revision: int
    revision: int
    tracks: int
    mark: int = field(default=0, compare=False)
    last_write: str | None = field(default=None, compare=False)
