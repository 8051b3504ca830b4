"""Converts gRPC's errors to the errors of the client; no other module does.

A failure that a Segue server describes has a reason. One of the transport has only a status code and an English
sentence of gRPC's, and a few failures share a code: `_TRANSPORT_FAILURES` names the words that distinguish them.
`tests/integration/client/test_transport_errors.py` provokes each with the installed gRPC, so that a version with other
words is noticed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, TypeVar, cast

import grpc
from google.protobuf.message import DecodeError, Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from segue.client import errors
from segue.client.errors import SegueError

_DOMAIN = "segue.v1"
_BY_REASON: dict[str, type[SegueError]] = {
    kind.reason: kind
    for kind in (
        errors.AudioUndecodableError,
        errors.AudioTooShortError,
        errors.AudioTooLongError,
        errors.AudioSilentError,
        errors.MalformedRequestError,
        errors.TrackNotFoundError,
        errors.CatalogueEmptyError,
        errors.CatalogueMismatchError,
        errors.TokenMissingError,
        errors.TokenUnknownError,
        errors.TokenScopeError,
        errors.WritesDisabledError,
        errors.CatalogueLockedError,
        errors.OverloadedError,
        errors.QuotaExceededError,
        errors.StoreUnavailableError,
        errors.StreamStalledError,
        errors.StartingError,
        errors.WorkerKilledError,
        errors.DeadlineExceededError,
    )
}


class _TransportFailure(NamedTuple):
    """A failure that gRPC reports without details of Segue's.

    Attributes:
        code: the status code.
        words: lower-case words that gRPC's sentence contains, all of them.
        kind: the error to raise.
        message: its message; may name {address}, {timeout} and {details}.
    """

    code: grpc.StatusCode
    words: tuple[str, ...]
    kind: type[SegueError]
    message: str


_TLS_FAILED = "TLS with {address} failed: check the trusted roots and the server's name. gRPC says: {details}"
_OTHER_FAILURE = "The call to {address} failed with {code}: {details}."
# The first that fits is taken.
_TRANSPORT_FAILURES = (
    _TransportFailure(
        grpc.StatusCode.UNAVAILABLE,
        ("handshake failed", "wrong_version_number"),
        errors.ServerUnreachableError,
        "{address} does not use TLS: leave out the TLS options (Credentials), or let its server use TLS.",
    ),
    _TransportFailure(grpc.StatusCode.UNAVAILABLE, ("handshake failed",), errors.ServerUnreachableError, _TLS_FAILED),
    _TransportFailure(
        grpc.StatusCode.UNAVAILABLE, ("hostname verification",), errors.ServerUnreachableError, _TLS_FAILED
    ),
    _TransportFailure(
        grpc.StatusCode.UNAVAILABLE,
        ("failed to connect", "socket closed"),
        errors.ServerUnreachableError,
        "{address} closed the connection: if its server uses TLS, name the roots to trust (--tls-ca, Credentials).",
    ),
    _TransportFailure(
        grpc.StatusCode.UNAVAILABLE,
        ("failed parsing http/2",),
        errors.ServerUnreachableError,
        "The program at {address} is not a Segue server, since it does not speak gRPC: check the address.",
    ),
    _TransportFailure(
        grpc.StatusCode.UNAVAILABLE,
        (),
        errors.ServerUnreachableError,
        "No Segue server answers at {address}: start one there with segue-server, or check the address.",
    ),
    _TransportFailure(
        grpc.StatusCode.DEADLINE_EXCEEDED,
        (),
        errors.DeadlineExceededError,
        "No response came from {address} within {timeout:g} s: check that the server runs, or raise the timeout.",
    ),
    _TransportFailure(
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        ("larger than max",),
        errors.MessageTooLargeError,
        "A message was larger than the transport to {address} allows: send a shorter or compressed file.",
    ),
    # Headers that are too large would be as large at the next try.
    _TransportFailure(grpc.StatusCode.RESOURCE_EXHAUSTED, ("metadata size",), errors.ServerError, _OTHER_FAILURE),
    _TransportFailure(
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        (),
        errors.OverloadedError,
        "The server at {address} accepts no more calls at present: try again later.",
    ),
    _TransportFailure(
        grpc.StatusCode.UNIMPLEMENTED,
        (),
        errors.ServerError,
        "The program at {address} does not have this method: it is an older Segue or not Segue.",
    ),
)

# Words of the operating system for a closed port, and for a socket that does not exist.
_REFUSED = ("connection refused", "no such file")

_Detail = TypeVar("_Detail", bound=Message)


def from_rpc_error(error: grpc.RpcError, *, address: str, timeout: float) -> SegueError:
    """Makes the error for a failed call, on either kind of channel.

    Args:
        error: what gRPC raised.
        address: the address of the server, for the message.
        timeout: the time limit of the call in seconds, for the message.
    """
    trailers = dict(cast("Iterable[tuple[str, str | bytes]]", error.trailing_metadata() or ()))
    status = _parse_status(trailers.get("grpc-status-details-bin"))
    info = _find_detail(status, ErrorInfo)
    if info and info.domain == _DOMAIN:
        failure = _from_details(error.code(), status, info)
    else:
        failure = _from_transport(error, address, timeout)
    request_id = trailers.get("x-request-id")
    failure.request_id = request_id if isinstance(request_id, str) else None
    return failure


def is_refused(error: SegueError) -> bool:
    """Returns whether no program listens at the address, which a server that starts would change."""
    details = error.metadata.get("transport", "").lower()
    return isinstance(error, errors.ServerUnreachableError) and any(words in details for words in _REFUSED)


def from_status(status: Status) -> SegueError:
    """Makes the error for one item of a stream that failed while the stream went on."""
    code = next((code for code in grpc.StatusCode if code.value[0] == status.code), grpc.StatusCode.UNKNOWN)
    info = _find_detail(status, ErrorInfo) or ErrorInfo(reason=code.name)
    failure = _from_details(code, status, info)
    failure.request_id = info.metadata.get("request_id")
    return failure


def _from_details(code: grpc.StatusCode, status: Status, info: ErrorInfo) -> SegueError:
    """Makes the error for a failure that a Segue server described."""
    bad_request = _find_detail(status, BadRequest)
    retry = _find_detail(status, RetryInfo)
    failure = _BY_REASON.get(info.reason, errors.ServerError)(
        status.message or info.reason,
        code=code,
        metadata=info.metadata,
        field=next((violation.field for violation in bad_request.field_violations), None) if bad_request else None,
        retry_after=retry.retry_delay.ToTimedelta().total_seconds() if retry else None,
    )
    failure.reason = info.reason
    return failure


def _from_transport(error: grpc.RpcError, address: str, timeout: float) -> SegueError:
    """Makes the error for a failure without details: no Segue server was reached, or its transport refused the call."""
    code, details = error.code(), error.details() or ""
    kind, template = _classify(code, details)
    message = template.format(address=address, timeout=timeout, code=code.name, details=details or "no details")
    failure = kind(message, code=code, metadata={"transport": details})
    if kind is errors.ServerError:
        failure.reason = code.name
    return failure


def _classify(code: grpc.StatusCode, details: str) -> tuple[type[SegueError], str]:
    for failure in _TRANSPORT_FAILURES:
        if failure.code is code and all(words in details.lower() for words in failure.words):
            return failure.kind, failure.message
    return errors.ServerError, _OTHER_FAILURE


def _parse_status(packed: str | bytes | None) -> Status:
    """Reads the details of a failure; those that another program sent may be of any form, and count as none."""
    try:
        return Status.FromString(packed) if isinstance(packed, bytes) else Status()
    except DecodeError:
        return Status()


def _find_detail(status: Status, kind: type[_Detail]) -> _Detail | None:
    """Finds the first readable detail of a kind."""
    for packed in status.details:
        detail = kind()
        try:
            if packed.Unpack(detail):
                return detail
        except DecodeError:
            continue
    return None
