"""What can go wrong, as exceptions.

SegueError
├── AudioError                  the piece of music that was sent
│   ├── AudioUnreadableError    the file cannot be read, so nothing was sent
│   ├── AudioUndecodableError   AUDIO_UNDECODABLE
│   ├── AudioTooShortError      AUDIO_TOO_SHORT
│   ├── AudioTooLongError       AUDIO_TOO_LONG, also found before sending
│   └── AudioSilentError        AUDIO_SILENT
├── MalformedRequestError       MALFORMED_REQUEST
├── TrackNotFoundError          TRACK_NOT_FOUND
├── CatalogueError              the catalogue cannot answer as it is
│   ├── CatalogueEmptyError     CATALOGUE_EMPTY
│   └── CatalogueMismatchError  CATALOGUE_MISMATCH
├── AccessError                 the server does not let the caller do this
│   ├── TokenMissingError       TOKEN_MISSING
│   ├── TokenUnknownError       TOKEN_UNKNOWN
│   └── TokenScopeError         TOKEN_SCOPE
├── TryAgainError               the same call may succeed later
│   ├── OverloadedError         OVERLOADED
│   ├── StoreUnavailableError   STORE_UNAVAILABLE
│   ├── StartingError           STARTING
│   ├── ServerUnreachableError  nothing answers at the address
│   └── DeadlineExceededError   no answer came in time
├── StreamStalledError         STREAM_STALLED
├── MessageTooLargeError        the transport refused the size of a request or an answer
└── ServerError                 anything else that the server answered
"""

from collections.abc import Mapping

import grpc


class SegueError(Exception):
    """Any failure of a call.

    Attributes:
        reason: A stable name in upper case, such as "AUDIO_SILENT".
        message: A sentence for people, which says what to do.
        code: The gRPC status code; for a call that was never sent, the one the server would have answered with.
        metadata: Facts about this failure, by name.
        field: The field of the request that is at fault, such as "audio.content", or None.
        retry_after: How many seconds the server asks to wait before another try, or None.
        request_id: What the server's log calls the request, or None.
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
    """The piece of music cannot be used."""


class AudioUnreadableError(AudioError):
    """The file cannot be read, so nothing was sent."""

    reason = "AUDIO_UNREADABLE"


class AudioUndecodableError(AudioError):
    """The bytes are not audio in a format that the server decodes."""

    reason = "AUDIO_UNDECODABLE"


class AudioTooShortError(AudioError):
    """The audio lasts less than the model needs."""

    reason = "AUDIO_TOO_SHORT"


class AudioTooLongError(AudioError):
    """The audio is more than one call takes."""

    reason = "AUDIO_TOO_LONG"


class AudioSilentError(AudioError):
    """There is nothing to hear."""

    reason = "AUDIO_SILENT"


class MalformedRequestError(SegueError):
    """A field of the request is missing or out of range; see `field`."""

    reason = "MALFORMED_REQUEST"


class TrackNotFoundError(SegueError):
    """The catalogue has no track of that id."""

    reason = "TRACK_NOT_FOUND"


class CatalogueError(SegueError):
    """The catalogue cannot answer until somebody changes it."""


class CatalogueEmptyError(CatalogueError):
    """Nothing has been indexed yet."""

    reason = "CATALOGUE_EMPTY"


class CatalogueMismatchError(CatalogueError):
    """The catalogue was made by another model than the server's."""

    reason = "CATALOGUE_MISMATCH"


class AccessError(SegueError):
    """The server does not let the caller do this."""


class TokenMissingError(AccessError):
    """The server answers only to those who have a token."""

    reason = "TOKEN_MISSING"


class TokenUnknownError(AccessError):
    """The server does not know the token."""

    reason = "TOKEN_UNKNOWN"


class TokenScopeError(AccessError):
    """The token is for other calls than this."""

    reason = "TOKEN_SCOPE"


class TryAgainError(SegueError):
    """The same call may succeed later; see `retry_after`."""


class OverloadedError(TryAgainError):
    """The server has more work than it takes on."""

    reason = "OVERLOADED"


class StoreUnavailableError(TryAgainError):
    """The server cannot reach its store."""

    reason = "STORE_UNAVAILABLE"


class StartingError(TryAgainError):
    """The server is not ready yet."""

    reason = "STARTING"


class ServerUnreachableError(TryAgainError):
    """Nothing answers at the address."""

    reason = "SERVER_UNREACHABLE"


class DeadlineExceededError(TryAgainError):
    """No answer came within the timeout."""

    reason = "DEADLINE_EXCEEDED"


class StreamStalledError(SegueError):
    """Nothing was sent on a stream for too long."""

    reason = "STREAM_STALLED"


class MessageTooLargeError(SegueError):
    """The transport refused the size of the request or of the answer."""

    reason = "MESSAGE_TOO_LARGE"


class ServerError(SegueError):
    """Anything else that the server answered; `reason` is the server's, or the name of the status code."""

    reason = "INTERNAL"
