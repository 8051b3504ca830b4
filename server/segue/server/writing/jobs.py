"""The writes that callers ask for, and what becomes of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from segue.core.catalogue.external_ids import PREFIX
from segue.core.catalogue.records import OwnMetadata, PathRecord, Track, Vector
from segue.core.catalogue.uploads import upload_path
from segue.core.features.fingerprint import fingerprint
from segue.core.model.artifact import Manifest
from segue.core.model.predicted_track import predicted_track
from segue.server.inference.analyzed_clip import AnalyzedClip

_TRACK_ID_LETTERS = 32
# As many bits as a time in a record of a file has.
_STAMP_BYTES = 7

Change = Literal["added", "updated", "unchanged"]
"""What a write changed."""


class Content(NamedTuple):
    """What tells the content of an upload from another one, in place of the size and time of a file.

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
        content: tells it from another one.
    """

    track: Track
    embedding: Vector
    content: Content

    @classmethod
    def of_clip(cls, external_id: str, content: Content, clip: AnalyzedClip, manifest: Manifest) -> Sound:
        """Returns the sound of a clip that was analyzed with its track id."""
        extracted, path = clip.clip, upload_path(external_id)
        found = fingerprint(extracted.windows, manifest.features)
        track = predicted_track(
            str(clip.track_id), path, extracted.seconds, clip.prediction, found, manifest.labels, manifest.tags
        )
        return cls(track, clip.prediction.embedding, content)

    @classmethod
    def of_embedding(cls, external_id: str, embedding: Vector) -> Sound:
        """Returns the sound of which only the embedding [e] is known; its id is a digest of that."""
        values = embedding.tobytes()
        track_id = hashlib.sha256(b"embedding " + values).hexdigest()[:_TRACK_ID_LETTERS]
        return cls(Track(track_id, "", path=upload_path(external_id)), embedding, Content.of(values))


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


def without_prefix(track_id: str) -> str | None:
    """Returns the external id in the id of a track, or None if it is no external id."""
    return track_id.removeprefix(PREFIX) if track_id.startswith(PREFIX) else None
