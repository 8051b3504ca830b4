"""Errors of the client, in one tree.

::

    SegueError
    ├── AudioError                  the audio cannot be used
    │   ├── AudioUnreadableError    the file cannot be read
    │   ├── AudioUndecodableError
    │   ├── AudioTooShortError
    │   ├── AudioTooLongError       also raised before the audio is sent
    │   └── AudioSilentError
    ├── MalformedRequestError       a field is missing or out of range
    ├── TrackNotFoundError
    ├── CatalogueError              the catalogue is not usable as it is
    │   ├── CatalogueEmptyError
    │   └── CatalogueMismatchError  another model built it
    ├── AccessError                 the caller lacks a permission
    │   ├── TokenMissingError
    │   ├── TokenUnknownError
    │   ├── TokenScopeError
    │   └── WritesDisabledError     the server only reads
    ├── TryAgainError               the same call may succeed later
    │   ├── OverloadedError
    │   ├── QuotaExceededError      the quota of the token is used up
    │   ├── StoreUnavailableError
    │   ├── CatalogueLockedError    another program writes the catalogue
    │   ├── StartingError
    │   ├── WorkerKilledError
    │   ├── ServerUnreachableError  no server answers at the address
    │   └── DeadlineExceededError   no response came in time
    ├── StreamStalledError
    ├── MessageTooLargeError        a message exceeds the transport's limit
    └── ServerError                 any other failure

A server describes a failure by a reason, which is the `reason` of the error. The class has the reason's name and Error
at its end: AUDIO_TOO_SHORT is AudioTooShortError. A reason without a class is a ServerError that keeps the reason.

The client itself raises AUDIO_UNREADABLE, AUDIO_TOO_LONG, SERVER_UNREACHABLE, DEADLINE_EXCEEDED, OVERLOADED and
MESSAGE_TOO_LARGE. Any other failure without a reason is a ServerError with the name of the status code.
"""

from __future__ import annotations

from collections.abc import Mapping

import grpc


class SegueError(Exception):
    """The root of the tree: any failure of a call.

    Attributes:
        reason: the machine-readable name of the failure in upper snake case, such as "AUDIO_SILENT".
        message: a sentence that says what happened and what to do.
        code: the gRPC status code; of a call that was not sent, the code that the server would have returned.
        metadata: facts about this failure, by name.
        field: the field of the request that is at fault, such as "audio.content", or None.
        retry_after: seconds to wait before the next try, as the server recommends, or None.
        request_id: the id of the request in the server's log, or None.
    """

    reason = "UNKNOWN"

    def __init__(
        self,
        message: str,
        *,
        code: grpc.StatusCode = grpc.StatusCode.INVALID_ARGUMENT,
        metadata: Mapping[str, str] | None = None,
        field: str | None = None,
        retry_after: float | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.metadata = dict(metadata or {})
        self.field = field
        self.retry_after = retry_after
        self.request_id = request_id


class AudioError(SegueError):
    """Audio that cannot be used."""


class AudioUnreadableError(AudioError):
    """A file that cannot be read; nothing was sent."""

    reason = "AUDIO_UNREADABLE"


class AudioUndecodableError(AudioError):
    """Bytes that are not audio in a format that the server decodes."""

    reason = "AUDIO_UNDECODABLE"


class AudioTooShortError(AudioError):
    """Audio that is shorter than one window of the model."""

    reason = "AUDIO_TOO_SHORT"


class AudioTooLongError(AudioError):
    """Audio that exceeds the limit of one call."""

    reason = "AUDIO_TOO_LONG"


class AudioSilentError(AudioError):
    """Audio in which every window is silent."""

    reason = "AUDIO_SILENT"


class MalformedRequestError(SegueError):
    """A request with a field that is missing or out of range; see `field`."""

    reason = "MALFORMED_REQUEST"


class TrackNotFoundError(SegueError):
    """A track id that is not in the catalogue."""

    reason = "TRACK_NOT_FOUND"


class CatalogueError(SegueError):
    """A catalogue that cannot be used until its operator changes it."""


class CatalogueEmptyError(CatalogueError):
    """A catalogue without tracks."""

    reason = "CATALOGUE_EMPTY"


class CatalogueMismatchError(CatalogueError):
    """A catalogue that another model than the server's built."""

    reason = "CATALOGUE_MISMATCH"


class AccessError(SegueError):
    """A call that the caller has no permission for."""


class TokenMissingError(AccessError):
    """A call without a token to a server that requires one."""

    reason = "TOKEN_MISSING"


class TokenUnknownError(AccessError):
    """A token that is not in the server's token file."""

    reason = "TOKEN_UNKNOWN"


class TokenScopeError(AccessError):
    """A token that lacks the scope of the call."""

    reason = "TOKEN_SCOPE"


class WritesDisabledError(AccessError):
    """A write to a server that only reads."""

    reason = "WRITES_DISABLED"


class TryAgainError(SegueError):
    """A failure that may be over later; see `retry_after`."""


class OverloadedError(TryAgainError):
    """A server with more work than it accepts, also at the last try within the time limit."""

    reason = "OVERLOADED"


class QuotaExceededError(TryAgainError):
    """A token with a quota that is used up; `retry_after` says for how long."""

    reason = "QUOTA_EXCEEDED"


class StoreUnavailableError(TryAgainError):
    """A server that cannot reach its Redis."""

    reason = "STORE_UNAVAILABLE"


class CatalogueLockedError(TryAgainError):
    """A catalogue that another program writes, such as the indexer."""

    reason = "CATALOGUE_LOCKED"


class StartingError(TryAgainError):
    """A server that is not ready yet."""

    reason = "STARTING"


class WorkerKilledError(TryAgainError):
    """A server on which something killed the process that analyzed the clip, twice."""

    reason = "WORKER_KILLED"


class ServerUnreachableError(TryAgainError):
    """An address at which no server answers."""

    reason = "SERVER_UNREACHABLE"


class DeadlineExceededError(TryAgainError):
    """A call without a response within its time limit."""

    reason = "DEADLINE_EXCEEDED"


class StreamStalledError(SegueError):
    """A stream on which nothing was sent for too long."""

    reason = "STREAM_STALLED"


class MessageTooLargeError(SegueError):
    """A request or a response that exceeds the transport's limit."""

    reason = "MESSAGE_TOO_LARGE"


class ServerError(SegueError):
    """Any other failure; `reason` is the server's, or the name of the status code."""

    reason = "INTERNAL"
