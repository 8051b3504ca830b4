"""The errors that Segue raises on purpose, in one tree. Messages say what happened, where, and what to do.

::

    SegueError
    ├── AudioError                 the audio cannot be used
    │   └── AudioUndecodable, AudioTooShort, AudioTooLong, AudioSilent
    ├── MalformedRequest, TrackNotFound    a value is missing, out of range or unknown
    ├── CatalogueError             the state of the catalogue forbids the operation
    │   ├── CatalogueEmpty, CatalogueMismatch    another model or front end built it
    │   ├── CatalogueLocked        another process writes it
    │   └── RemovalRefused, CatalogueNotEmpty    so much would be lost that it looks like a mistake
    ├── SnapshotDamaged, SnapshotUnwritable    the index on disk
    ├── NoMusic, EmbeddingUnusable, BackupUnusable, BackupUnwritable
    ├── StoreUnavailable           Redis does not answer, or refuses the command
    │   └── CatalogueLost          Redis no longer has keys that nothing removed
    ├── Starting, Overloaded       the server is not ready yet, or too much work is queued
    ├── QuotaExceeded              the caller has used up a quota of its token
    ├── AccessError                the caller has no permission
    │   └── TokenMissing, TokenUnknown, TokenScope, WritesDisabled
    ├── DeadlinePassed             the caller no longer waits for the result
    ├── StreamStalled              the caller stopped sending in the middle of a stream
    ├── EnvironmentUnusable        the machine lacks what every job needs, such as room on its disk
    ├── WorkerError                a worker process did not finish its job
    │   ├── WorkerDied             its process ended in the middle of the job
    │   │   └── WorkerKilled       something outside killed the process
    │   └── WorkerTimedOut, WorkerOutOfMemory
    └── ArtifactError              the model's folder cannot be used
        └── ArtifactDamaged, FingerprintMismatch
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar


class SegueError(Exception):
    """The root of all errors that Segue raises on purpose.

    Attributes:
        reason: the machine-readable name, sent over gRPC and in JSON; upper snake case.
        facts: the figures of the message, by name, for programs.
    """

    reason: ClassVar[str] = "INTERNAL"
    facts: Mapping[str, str] = MappingProxyType({})

    def __init__(self, message: str, **facts: str | float) -> None:
        super().__init__(message)
        self.facts = {name: f"{value:g}" if isinstance(value, float) else str(value) for name, value in facts.items()}


class AudioError(SegueError):
    """The audio, in the request field ``field``, cannot be used."""

    field = "audio.content"


class AudioUndecodable(AudioError):
    """The bytes are not audio that this machine can decode, or hold samples that are not finite numbers."""

    reason = "AUDIO_UNDECODABLE"


class AudioTooShort(AudioError):
    """The audio is shorter than one window."""

    reason = "AUDIO_TOO_SHORT"


class AudioTooLong(AudioError):
    """The audio has more bytes or more hours than Segue accepts."""

    reason = "AUDIO_TOO_LONG"


class AudioSilent(AudioError):
    """Every window is silent."""

    reason = "AUDIO_SILENT"


class MalformedRequest(SegueError):
    """The value ``field``, by the name that the caller wrote, is missing or out of range."""

    reason = "MALFORMED_REQUEST"

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class TrackNotFound(SegueError):
    """The catalogue has no track with these ids or paths, whose text ``name`` is cut to 300 characters."""

    reason = "TRACK_NOT_FOUND"

    def __init__(self, *names: str, kind: str = "track") -> None:
        self.name, kinds = ", ".join(names)[:300], kind + "s" * (len(names) > 1)
        super().__init__(f"The catalogue has no {kinds} {self.name!r}. List or search its tracks, or index the file.")


class CatalogueError(SegueError):
    """The state of the catalogue forbids the operation."""


class CatalogueEmpty(CatalogueError):
    """The catalogue has no tracks to recommend."""

    reason = "CATALOGUE_EMPTY"


class CatalogueMismatch(CatalogueError):
    """Another model or another front end built the catalogue."""

    reason = "CATALOGUE_MISMATCH"


class CatalogueLocked(CatalogueError):
    """Another process writes the catalogue, or took its lock over."""

    reason = "CATALOGUE_LOCKED"


class RemovalRefused(CatalogueError):
    """So many tracks would be removed that the disk with the music may be unmounted."""

    reason = "REMOVAL_REFUSED"


class CatalogueNotEmpty(CatalogueError):
    """The operation would lose the content of the catalogue."""

    reason = "CATALOGUE_NOT_EMPTY"


class NoMusic(SegueError):
    """The named folders hold no music."""

    reason = "NO_MUSIC"


class EmbeddingUnusable(SegueError):
    """A vector has another width than the catalogue, or its length is not 1: a fault of the model, not the caller."""

    reason = "EMBEDDING_UNUSABLE"


class SnapshotDamaged(SegueError):
    """An index on disk does not match its header."""

    reason = "SNAPSHOT_DAMAGED"


class SnapshotUnwritable(SegueError):
    """The index cannot be written to disk."""

    reason = "SNAPSHOT_UNWRITABLE"


class BackupUnusable(SegueError):
    """A file is not a backup of a catalogue, or is damaged."""

    reason = "BACKUP_UNUSABLE"


class BackupUnwritable(SegueError):
    """A backup cannot be written to disk."""

    reason = "BACKUP_UNWRITABLE"


class StoreUnavailable(SegueError):
    """Redis does not answer, or refuses the command."""

    reason = "STORE_UNAVAILABLE"


class CatalogueLost(StoreUnavailable):
    """Redis no longer has keys that nothing removed: it evicts them, or was emptied."""


class Starting(SegueError):
    """The server is still loading its model and its catalogue."""

    reason = "STARTING"


class Overloaded(SegueError):
    """The server has too much work queued to accept more."""

    reason = "OVERLOADED"


class QuotaExceeded(SegueError):
    """The caller has used up the quota and ``subject`` of the facts, for ``retry_seconds``."""

    reason = "QUOTA_EXCEEDED"
    retry_seconds = 1.0


class StreamStalled(SegueError):
    """The caller of a stream has sent nothing for too long."""

    reason = "STREAM_STALLED"


class EnvironmentUnusable(SegueError):
    """The machine lacks what every job needs; no input is at fault."""

    reason = "ENVIRONMENT_UNUSABLE"


class WorkerError(SegueError):
    """A worker process did not finish its job."""


class WorkerDied(WorkerError):
    """The process ended in the middle of the job."""

    reason = "WORKER_DIED"


class WorkerKilled(WorkerDied):
    """Something outside killed the process, such as a system that lacks memory; the job may be fine."""

    reason = "WORKER_KILLED"


class WorkerTimedOut(WorkerError):
    """The job exceeded its time limit, and its process was killed."""

    reason = "WORKER_TIMED_OUT"


class WorkerOutOfMemory(WorkerError):
    """The job exceeded its memory limit."""

    reason = "WORKER_OUT_OF_MEMORY"


class AccessError(SegueError):
    """The caller has no permission for the call."""


class TokenMissing(AccessError):
    """The server requires a token."""

    reason = "TOKEN_MISSING"


class TokenUnknown(AccessError):
    """The server does not know the token."""

    reason = "TOKEN_UNKNOWN"


class TokenScope(AccessError):
    """The token is for other calls."""

    reason = "TOKEN_SCOPE"


class WritesDisabled(AccessError):
    """The server only reads the catalogue."""

    reason = "WRITES_DISABLED"


class DeadlinePassed(SegueError):
    """The caller no longer waits for the result, so that the next stage of the work, ``stage``, did not begin."""

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
    """A file of the artifact is missing, or differs from the manifest."""

    reason = "ARTIFACT_DAMAGED"


class FingerprintMismatch(ArtifactError):
    """Two parts were made with different front ends."""

    reason = "FINGERPRINT_MISMATCH"
