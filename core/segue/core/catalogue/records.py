"""The records of a catalogue."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]
Attribute = str | float | bool | tuple[str, ...]
"""A text, a number, a truth value or a list of texts."""


# The greatest distance of a length from 1. The rounding error of a few hundred squares in float32 is far below it.
_LENGTH_TOLERANCE = 1e-3
# As many as Redis stores in 4 bytes.
_MARK_BITS = 30


@dataclass(frozen=True, eq=False)
class OwnMetadata:
    """The metadata that the owner of a library gives to a file; an empty text leaves the file's own tag.

    Attributes:
        external_id: id of the file in the owner's system, unique in the catalogue, or empty.
        title: title in place of that in the tags, or empty.
        artist: artist in place of those in the tags, or empty.
        album: album in place of that in the tags, or empty.
        attributes: values by name.
    """

    external_id: str = ""
    title: str = ""
    artist: str = ""
    album: str = ""
    attributes: Mapping[str, Attribute] = field(default_factory=dict)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, OwnMetadata) or self._texts != other._texts:
            return False
        return has_same_values(self.attributes, other.attributes)

    def __hash__(self) -> int:
        return hash(self._texts)

    @property
    def _texts(self) -> tuple[str, ...]:
        return self.external_id, self.title, self.artist, self.album

    def __bool__(self) -> bool:
        return any(self._texts) or bool(self.attributes)


def has_same_values(attributes: Mapping[str, object], others: Mapping[str, object]) -> bool:
    """Returns whether attributes have the same values of the same types; for Python, 1.0 and True are equal."""
    return attributes == others and all(type(value) is type(others[name]) for name, value in attributes.items())


NO_METADATA = OwnMetadata()
"""The metadata of a file to which the owner gave none."""


@dataclass(frozen=True)
class Track:
    """The metadata of a track.

    Attributes:
        track_id: 32 lower-case hexadecimal digits, a digest of its audio.
        title: title from the tags, else the name of the file without its suffix.
        artist: first artist from the tags, or empty.
        album: album from the tags, or empty.
        genre: most probable genre of the posterior.
        tagged_genre: first genre from the tags, or empty.
        year: four digits from the tags, or empty.
        seconds: duration in seconds.
        path: one of its files.
        posterior: probability of each genre by the model, in [0, 1].
        artists: all artists from the tags.
        tagged_genres: all genres from the tags.
        album_artist: artist of the album from the tags, or empty.
        track_number: position on the disc from the tags, or 0.
        disc_number: number of the disc from the tags, or 0.
        isrc: international standard recording code from the tags, or empty.
        musicbrainz_recording_id: id of the recording at MusicBrainz from the tags, or empty.
        musicbrainz_release_id: id of the release at MusicBrainz from the tags, or empty.
        musicbrainz_artist_ids: ids of the artists at MusicBrainz from the tags.
        tag_scores: scores of the tags that the model predicts, as ``pack_tag_scores`` returns them; empty for a model
            that does not tag, and in catalogues of earlier versions.
        fingerprint: its ``Fingerprint`` as text; empty if it has none, and in catalogues of earlier versions.
        own: the owner's metadata, of the first file that has some in the order of the paths. The store derives them
            from the files, and ignores them in a track to write.
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
    artists: tuple[str, ...] = ()
    tagged_genres: tuple[str, ...] = ()
    album_artist: str = ""
    track_number: int = 0
    disc_number: int = 0
    isrc: str = ""
    musicbrainz_recording_id: str = ""
    musicbrainz_release_id: str = ""
    musicbrainz_artist_ids: tuple[str, ...] = ()
    tag_scores: str = ""
    fingerprint: str = ""
    own: OwnMetadata = NO_METADATA

    def named(self) -> Track:
        """Returns the track with the owner's title, artist and album in place of those in the tags."""
        own = self.own
        if not (own.title or own.artist or own.album):
            return self
        return replace(
            self,
            title=own.title or self.title,
            artist=own.artist or self.artist,
            artists=(own.artist,) if own.artist else self.artists,
            album=own.album or self.album,
        )

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Track:
        """Returns the track whose attributes were encoded as JSON, which has lists and no tuples.

        Raises:
            TypeError: a value is missing, or is not an attribute of a track.
        """
        attributes: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
        }
        return cls(**attributes)


class TrackFacts(NamedTuple):
    """The part of a track's metadata by which tracks are searched and chosen; see ``Track.named``."""

    title: str
    artist: str = ""
    album: str = ""
    path: str = ""
    genre: str = ""
    year: str = ""
    seconds: float = 0.0
    artists: tuple[str, ...] = ()
    album_artist: str = ""
    fingerprint: str = ""
    tag_scores: str = ""
    attributes: Mapping[str, Attribute] = {}

    @classmethod
    def of(cls, track: Track) -> TrackFacts:
        """Returns the facts of a track."""
        named = track.named()
        return cls._make([*(getattr(named, name) for name in cls._fields[:-1]), track.own.attributes])


@dataclass(frozen=True)
class PathRecord:
    """An indexed file; it is not decoded again until its size or time changes, or its audio.

    Attributes:
        path: path of the file.
        size: size in bytes.
        mtime_ns: time of the last change, in ns since 1970.
        track_id: id of the track in the file.
        ctime_ns: time of the last change of content or status, in ns since 1970; 0 in catalogues of earlier versions.
        own: the owner's metadata.
    """

    path: str
    size: int
    mtime_ns: int
    track_id: str
    ctime_ns: int = 0
    own: OwnMetadata = NO_METADATA


@dataclass(frozen=True)
class FailureRecord:
    """A file that could not be indexed; it is not tried again until its size or time changes.

    Attributes:
        path: path of the file.
        size: size in bytes.
        mtime_ns: time of the last change, in ns since 1970.
        reason: machine-readable name of the error, upper snake case.
        detail: what was wrong, as a sentence.
        time: time of the failure, in seconds since 1970.
    """

    path: str
    size: int
    mtime_ns: int
    reason: str
    detail: str
    time: int


@dataclass(frozen=True)
class Addition:
    """A track to add to a catalogue.

    Attributes:
        track: its metadata.
        embedding: its embedding.
        file: its file.
        windows: the embeddings of its windows, as ``pack_windows`` returns them; empty to keep those that the catalogue
            has of this track.
    """

    track: Track
    embedding: Vector
    file: PathRecord
    windows: bytes = b""


EventKind = Literal["add", "remove"]


def new_mark() -> int:
    """Returns a random number above 0 for the events of a transaction; 0 is that of events of earlier versions."""
    return 1 + secrets.randbits(_MARK_BITS)


@dataclass(frozen=True)
class Event:
    """A change of the catalogue.

    Attributes:
        revision: number of the change, from 1 on without gaps.
        kind: the kind of the change.
        track_id: id of the track.
        mark: random number of the transaction. Events of the same revision and mark have the same history: a Redis that
            lost its last events gives their revisions to other ones, with other marks.
    """

    revision: int
    kind: EventKind
    track_id: str
    mark: int = field(default=0, compare=False)


def is_unit(embedding: Vector) -> bool:
    """Returns whether an embedding [e] has the length 1, up to rounding; any other would spoil every search."""
    # NaN compares false with everything.
    return abs(float(np.linalg.norm(embedding.astype(np.float64))) - 1) <= _LENGTH_TOLERANCE
