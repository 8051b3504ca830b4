"""The writes that callers ask for, and what becomes of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from segue.core.catalogue.records import OwnMetadata, PathRecord, Track, Vector

MAX_JOBS = 64
"""Most writes in a turn at the lock, so that other writers get theirs; as many as a transaction has tracks."""

# As many bits as a time in a record of a file has.
_STAMP_BYTES = 7

Change = Literal["added", "updated", "unchanged"]
"""What a write changed."""


class Content(NamedTuple):
    """The mark by which the content of an upload is recognised, in place of the size and time of a file.

    Attributes:
        size: number of bytes.
        stamp: number from a digest of the bytes, [0, 2^56).
    """

    size: int
    stamp: int

    @classmethod
    def of(cls, sound: bytes) -> Content:
        """Returns the content of an upload."""
        return cls(len(sound), int.from_bytes(hashlib.sha256(sound).digest()[:_STAMP_BYTES], "big"))

    def is_of(self, file: PathRecord) -> bool:
        """Returns whether the record of a file was written for this content."""
        return self == (file.size, file.mtime_ns)


@dataclass(frozen=True)
class Sound:
    """The sound of an upload.

    Attributes:
        track: its track; the path is that of the upload.
        embedding: its embedding [e] of length 1.
        content: the mark of its bytes.
    """

    track: Track
    embedding: Vector
    content: Content


@dataclass(frozen=True)
class Upsert:
    """A track to add or to change.

    Attributes:
        external_id: its id in the system of its owner.
        own: the metadata of its owner without the external id, or None to keep those that it has.
        sound: its sound, or None to keep it.
    """

    external_id: str
    own: OwnMetadata | None
    sound: Sound | None


@dataclass(frozen=True)
class Update:
    """A change of the metadata that the owner gives to a track.

    Attributes:
        track_id: the id of the track, or "external:" and its external id.
        change: returns the new metadata for the present ones.
    """

    track_id: str
    change: Callable[[OwnMetadata], OwnMetadata]


@dataclass(frozen=True)
class Deletion:
    """Tracks to delete.

    Attributes:
        ids: ids of tracks, and external ids after "external:", whose files alone are deleted.
    """

    ids: tuple[str, ...]


Job = Upsert | Update | Deletion
"""A write."""


@dataclass(frozen=True)
class Written:
    """The result of a write.

    Attributes:
        track_id: the id of the track that was written; empty for a deletion.
        change: what the write changed.
        revision: revision of the catalogue after the write.
        missing: ids to delete that no track has.
    """

    track_id: str
    change: Change
    revision: int
    missing: tuple[str, ...] = ()


class Writes(Protocol):
    """Writes what callers ask for; see ``CatalogueWrites``."""

    def check_allowed(self) -> None:
        """Checks that the server writes."""
        ...

    async def write(self, job: Job) -> Written:
        """Writes, and returns when it is in the catalogue."""
        ...
