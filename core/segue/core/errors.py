"""Every error that Segue means to raise, in one tree.

::

    SegueError
    ├── AudioError                 the piece of music cannot be used
    │   ├── AudioUndecodable
    │   ├── AudioTooShort
    │   ├── AudioTooLong
    │   └── AudioSilent
    ├── MalformedRequest           a value is missing or out of its range
    ├── TrackNotFound
    ├── CatalogueError             the catalogue cannot answer as it is
    │   ├── CatalogueEmpty
    │   ├── CatalogueMismatch      it was made by another model or front end
    │   ├── CatalogueLocked        another writer is at work
    │   ├── RemovalRefused         so much would be removed that it looks like a mistake
    │   └── CatalogueNotEmpty      what is in it would be lost
    ├── NoMusic                    a folder that is to be indexed has none
    ├── EmbeddingUnusable          a model made a vector that would poison every search
    ├── SnapshotDamaged            the index on disk is not what its header says
    ├── SnapshotUnwritable         the index cannot be put on disk
    ├── BackupUnusable             a file is no backup, or a damaged one
    ├── BackupUnwritable           a backup cannot be put on disk
    ├── StoreUnavailable           Redis does not answer
    ├── Starting                   the server is not ready yet
    ├── Overloaded
    ├── AccessError                the caller may not do this
    │   ├── TokenMissing
    │   ├── TokenUnknown
    │   └── TokenScope             its token is for other calls
    ├── DeadlinePassed             nobody waits for the answer any more
    ├── StreamStalled              a caller stopped in the middle of a stream
    ├── WorkerError                the process that was to do a job did not get to its end
    │   ├── WorkerDied
    │   ├── WorkerTimedOut
    │   └── WorkerOutOfMemory
    └── ArtifactError              the model's folder cannot be used
        ├── ArtifactDamaged
        └── FingerprintMismatch

Each message is a sentence for the person who meets it: what happened, where, what to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar


class SegueError(Exception):
    """The root: anything Segue means to raise.

    Attributes:
        reason: the machine-readable name that travels over gRPC and in JSON, upper snake case.
        facts: what the message says in figures, by name, for programs.
    """

    reason: ClassVar[str] = "INTERNAL"
    facts: Mapping[str, str] = MappingProxyType({})


class AudioError(SegueError):
    """The piece of music cannot be used.

    Attributes:
        field: the name of what brought it, as the caller wrote it.
    """

    field = "audio.content"

    def __init__(self, message: str, **facts: float) -> None:
        super().__init__(message)
        self.facts = {name: f"{value:g}" if isinstance(value, float) else str(value) for name, value in facts.items()}


class AudioUndecodable(AudioError):
    """The bytes are not audio that this machine decodes, or hold samples that are not finite numbers."""

    reason = "AUDIO_UNDECODABLE"


class AudioTooShort(AudioError):
    """There is less sound than one window."""

    reason = "AUDIO_TOO_SHORT"


class AudioTooLong(AudioError):
    """There are more bytes or more hours than Segue takes."""

    reason = "AUDIO_TOO_LONG"


class AudioSilent(AudioError):
    """Nothing can be heard in any window."""

    reason = "AUDIO_SILENT"


class MalformedRequest(SegueError):
    """A value is missing or out of its range.

    Attributes:
        field: the name of the value, as the caller wrote it.
    """

    reason = "MALFORMED_REQUEST"

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class TrackNotFound(SegueError):
    """No track of the catalogue has this id.

    Attributes:
        track_id: the id that was asked for.
    """

    reason = "TRACK_NOT_FOUND"

    def __init__(self, track_id: str) -> None:
        track_id = track_id[:64]  # twice as long as any that there is
        super().__init__(
            f"No track {track_id!r} is in the catalogue; list the tracks that are, or index the file it came from."
        )
        self.track_id = track_id


class CatalogueError(SegueError):
    """The catalogue cannot answer as it is."""


class CatalogueEmpty(CatalogueError):
    """There is nothing to recommend."""

    reason = "CATALOGUE_EMPTY"


class CatalogueMismatch(CatalogueError):
    """The catalogue was made by another model or another front end."""

    reason = "CATALOGUE_MISMATCH"


class CatalogueLocked(CatalogueError):
    """Another writer holds the catalogue, or took it over."""

    reason = "CATALOGUE_LOCKED"


class RemovalRefused(CatalogueError):
    """So many tracks would be removed that it looks like an unmounted disk."""

    reason = "REMOVAL_REFUSED"


class CatalogueNotEmpty(CatalogueError):
    """What is in the catalogue would be lost."""

    reason = "CATALOGUE_NOT_EMPTY"


class NoMusic(SegueError):
    """There is no music where it was said to be."""

    reason = "NO_MUSIC"


class EmbeddingUnusable(SegueError):
    """A vector has another width than the catalogue's, or no direction: no caller's fault, but a model's."""

    reason = "EMBEDDING_UNUSABLE"


class SnapshotDamaged(SegueError):
    """An index on disk is not what its header says."""

    reason = "SNAPSHOT_DAMAGED"


class SnapshotUnwritable(SegueError):
    """The index cannot be put on disk."""

    reason = "SNAPSHOT_UNWRITABLE"


class BackupUnusable(SegueError):
    """A file is no backup of a catalogue, or a damaged one."""

    reason = "BACKUP_UNUSABLE"


class BackupUnwritable(SegueError):
    """A backup cannot be put on disk."""

    reason = "BACKUP_UNWRITABLE"


class StoreUnavailable(SegueError):
    """Redis does not answer."""

    reason = "STORE_UNAVAILABLE"


class Starting(SegueError):
    """The server loads its model and its catalogue."""

    reason = "STARTING"


class Overloaded(SegueError):
    """More work is waiting than the server takes on."""

    reason = "OVERLOADED"


class StreamStalled(SegueError):
    """Nothing came for too long from the caller of a stream."""

    reason = "STREAM_STALLED"


class WorkerError(SegueError):
    """The process that was to do a job did not get to its end."""


class WorkerDied(WorkerError):
    """The process ended in the middle of the job."""

    reason = "WORKER_DIED"


class WorkerTimedOut(WorkerError):
    """The job took longer than it may, and its process was killed."""

    reason = "WORKER_TIMED_OUT"


class WorkerOutOfMemory(WorkerError):
    """The job wanted more memory than it may have."""

    reason = "WORKER_OUT_OF_MEMORY"


class AccessError(SegueError):
    """The caller may not do what it asks for."""


class TokenMissing(AccessError):
    """The server answers only to those who have a token."""

    reason = "TOKEN_MISSING"


class TokenUnknown(AccessError):
    """The server does not know the token."""

    reason = "TOKEN_UNKNOWN"


class TokenScope(AccessError):
    """The token is for other calls than this."""

    reason = "TOKEN_SCOPE"


class DeadlinePassed(SegueError):
    """Nobody waits for the answer any more, so the work on it was given up.

    Attributes:
        stage: what it was given up before.
    """

    reason = "DEADLINE_EXCEEDED"

    def __init__(self, stage: str) -> None:
        super().__init__(stage)
        self.stage = stage

    def __str__(self) -> str:
        return "The call's deadline has passed. Give it longer, or try again when the server has less to do."


class ArtifactError(SegueError):
    """The model's folder cannot be used."""

    reason = "ARTIFACT_UNUSABLE"


class ArtifactDamaged(ArtifactError):
    """A file of the artifact is missing, or is not the one that the manifest names."""

    reason = "ARTIFACT_DAMAGED"


class FingerprintMismatch(ArtifactError):
    """Two parts were made with different front ends."""

    reason = "FINGERPRINT_MISMATCH"
