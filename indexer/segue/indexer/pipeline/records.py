"""The records that the pipeline passes on: a file before it is examined, the result, a failure."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from segue.core.catalogue.display_path import display_path
from segue.core.catalogue.records import NO_METADATA, FailureRecord, OwnMetadata, PathRecord
from segue.core.errors import (
    AudioSilent,
    AudioTooLong,
    AudioTooShort,
    AudioUndecodable,
    EmbeddingUnusable,
    SegueError,
    WorkerDied,
    WorkerKilled,
    WorkerOutOfMemory,
    WorkerTimedOut,
)
from segue.core.features.fingerprint import Fingerprint
from segue.core.features.windows import Windows

UNREADABLE = "FILE_UNREADABLE"
"""Reason of a file that the operating system does not let us read."""

TEMPORARY = frozenset({UNREADABLE, WorkerKilled.reason})
"""Reasons that may be gone the next time although the file did not change."""


# Reason of a file that exceeded a limit, and the option that raises the limit.
_LIMITS: dict[type[SegueError], tuple[str, str]] = {
    WorkerTimedOut: ("FILE_TIMED_OUT", "--file-seconds N"),
    WorkerOutOfMemory: ("FILE_TOO_MUCH_MEMORY", "--file-memory MIB"),
}

_ERRORS = (
    AudioUndecodable,
    AudioTooShort,
    AudioTooLong,
    AudioSilent,
    EmbeddingUnusable,
    WorkerDied,
    WorkerKilled,
    SegueError,
)
REASONS = frozenset({UNREADABLE, *(error.reason for error in _ERRORS), *(reason for reason, _ in _LIMITS.values())})
"""The reasons for which a file can fail."""


@dataclass(frozen=True)
class Tags:
    """Tags of a track; a missing one is empty, or 0.

    Attributes:
        title: title of the track.
        artist: its first artist, or all in one text, as the file has it.
        album: its album.
        genre: its first genre as the file names it.
        year: four digits.
        artists: all artists, each by itself.
        genres: all genres.
        album_artist: artist of the album.
        track_number: position on the disc, from 1 on.
        disc_number: number of the disc, from 1 on.
        isrc: international standard recording code, 12 letters and digits.
        musicbrainz_recording_id: id of the recording at MusicBrainz, a UUID in lower case, as all ids there.
        musicbrainz_release_id: id of the release.
        musicbrainz_artist_ids: ids of the artists.
    """

    title: str = ""
    artist: str = ""
    album: str = ""
    genre: str = ""
    year: str = ""
    artists: tuple[str, ...] = ()
    genres: tuple[str, ...] = ()
    album_artist: str = ""
    track_number: int = 0
    disc_number: int = 0
    isrc: str = ""
    musicbrainz_recording_id: str = ""
    musicbrainz_release_id: str = ""
    musicbrainz_artist_ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class Examined:
    """Content of a file.

    Attributes:
        track_id: id of its audio.
        windows: windows for the model.
        seconds: duration, in seconds.
        tags: its tags.
        fingerprint: its fingerprint, or None if it has none.
    """

    track_id: str
    windows: Windows
    seconds: float
    tags: Tags
    fingerprint: Fingerprint | None = None


@dataclass(frozen=True)
class SameAudio:
    """Content of a file that was not decoded, as it has the expected audio.

    Attributes:
        tags: its tags.
    """

    tags: Tags


@dataclass(frozen=True)
class Failure:
    """A file or folder that could not be indexed.

    Attributes:
        path: its display path.
        reason: machine-readable name of the problem, upper snake case.
        message: a sentence for people.
    """

    path: str
    reason: str
    message: str

    @classmethod
    def from_error(cls, path: Path, error: Exception) -> Failure:
        """Returns the failure of a file that raised an exception."""
        if isinstance(error, WorkerTimedOut | WorkerOutOfMemory):
            reason, option = _LIMITS[type(error)]
            advice = f"Leave the file out, or raise the limit: `segue-indexer retry --reason {reason} {option}`."
            return cls(display_path(path), reason, f"{error} {advice}")
        if isinstance(error, SegueError):
            return cls(display_path(path), error.reason, str(error))
        if isinstance(error, OSError):
            cause = error.strerror or str(error)
            return cls(
                display_path(path), UNREADABLE, f"It cannot be read: {cause}. Check the file and its permissions."
            )
        return cls(
            display_path(path),
            "INTERNAL",
            f"Segue met an unexpected error ({type(error).__name__}: {error}). Leave the file out, and report the "
            "error with the file.",
        )


@dataclass(frozen=True)
class MusicFile:
    """A file to examine.

    Attributes:
        path: absolute path.
        size: size in bytes.
        mtime_ns: time of the last modification, in nanoseconds since 1970.
        known: the catalogue has a track for this path.
        ctime_ns: time of the last change of its content or its status, in nanoseconds since 1970.
        expected_id: track whose audio the file is likely to have, or empty. If it has it, it is not decoded.
        own: the owner's metadata, or None if none were given: a new file that was moved has those that it had.
    """

    path: Path
    size: int
    mtime_ns: int
    known: bool
    ctime_ns: int = 0
    expected_id: str = ""
    own: OwnMetadata | None = None

    def failure_record(self, failure: Failure) -> FailureRecord:
        """Returns the record of the failed file, with the size and time from before it was opened."""
        return FailureRecord(
            failure.path, self.size, self.mtime_ns, failure.reason, failure.message, round(time.time())
        )

    def path_record(self, track_id: str) -> PathRecord:
        """Returns the record of the indexed file, with the size and times from before it was opened."""
        return PathRecord(
            display_path(self.path), self.size, self.mtime_ns, track_id, self.ctime_ns, self.own or NO_METADATA
        )


@dataclass(frozen=True)
class IndexedFile:
    """A file that a run added or updated.

    Attributes:
        path: its display path.
        track_id: id of its track.
        change: whether the file is new in the catalogue.
    """

    path: str
    track_id: str
    change: Literal["added", "updated"]


class Unchanged:
    """A file that did not change since it was indexed."""


@dataclass(frozen=True)
class NewMetadata:
    """A file that did not change since it was indexed, with other metadata of its owner.

    Attributes:
        file: the record to write.
    """

    file: PathRecord


class Skipped:
    """A file that did not change since it failed."""


@dataclass(frozen=True)
class Missing:
    """A file of the catalogue that does not exist any more.

    Attributes:
        path: its display path.
    """

    path: str


Source = MusicFile | Unchanged | NewMetadata | Skipped | Missing | Failure
