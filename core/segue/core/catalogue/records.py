"""The records that a catalogue stores."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from segue.core.model.model_key import ModelKey

Vector = NDArray[np.float32]


# How far from 1 the length of an embedding may be: float32 sums of some hundred squares stay far below it.
_LENGTH_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Track:
    """What is known of a track.

    Attributes:
        track_id: 32 lower-case hexadecimal digits that come from its audio.
        title: from the tags, else the file's name without its ending.
        artist: from the tags, or empty.
        album: from the tags, or empty.
        genre: the best of the posterior.
        tagged_genre: from the tags, or empty.
        year: four digits from the tags, or empty.
        seconds: how long it plays.
        path: where it was found.
        posterior: the model's probability of each genre.
    """

    track_id: str
    title: str
    artist: str = ""
    album: str = ""
    genre: str = ""
    tagged_genre: str = ""
    year: str = ""
    seconds: float = 0.0
    path: str = ""
    posterior: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class PathRecord:
    """A file as it was when it was indexed; while size and time stand, it need not be decoded again."""

    path: str
    size: int
    mtime_ns: int
    track_id: str


@dataclass(frozen=True)
class FailureRecord:
    """A file that could not be indexed, as it was then; while size and time stand, it would fail again.

    Attributes:
        path: which.
        size: bytes.
        mtime_ns: when it was last written.
        reason: the machine-readable name of what was wrong, upper snake case.
        detail: a sentence for a person.
        time: when it failed, seconds since 1970.
    """

    path: str
    size: int
    mtime_ns: int
    reason: str
    detail: str
    time: int


@dataclass(frozen=True)
class Addition:
    """A track to be written: everything that one transaction holds of it."""

    track: Track
    embedding: Vector
    file: PathRecord


class Event(NamedTuple):
    """One change of the catalogue; ``revision`` numbers all changes from 1 without a gap."""

    revision: int
    kind: Literal["add", "remove"]
    track_id: str


@dataclass(frozen=True)
class Identity:
    """What a catalogue is and what made its embeddings.

    Attributes:
        uuid: random, made with the catalogue.
        model_id: the artifact that heard every track.
        fingerprint: its front end's.
        width: the length of an embedding.
    """

    uuid: str
    model_id: str
    fingerprint: str
    width: int

    @property
    def key(self) -> ModelKey:
        """The model that built the catalogue."""
        return ModelKey(self.model_id, self.fingerprint, self.width)


def is_unit(embedding: Vector) -> bool:
    """Whether an embedding [e] has the length 1, to rounding: one that has not would poison every search."""
    # NaN compares false with everything.
    return abs(float(np.linalg.norm(embedding.astype(np.float64))) - 1) <= _LENGTH_TOLERANCE
