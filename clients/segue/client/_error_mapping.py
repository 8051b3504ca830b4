"""Turns what gRPC raises into the errors of this client; the only place that does."""

from collections.abc import Iterable
from typing import TypeVar, cast

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
        errors.OverloadedError,
        errors.StoreUnavailableError,
        errors.StreamStalledError,
        errors.StartingError,
        errors.DeadlineExceededError,
    )
}

_Detail = TypeVar("_Detail", bound=Message)


def from_rpc_error(error: grpc.RpcError, *, address: str, timeout: float) -> SegueError:
    """Makes the error that says what happened to a call, on either kind of channel.

    Args:
        error: What gRPC raised.
        address: Where the call was sent, for the sentence.
        timeout: The seconds it was given, for the sentence.
    """
    trailers = dict(cast("Iterable[tuple[str, str | bytes]]", error.trailing_metadata() or ()))
    status = _status(trailers.get("grpc-status-details-bin"))
    info = _detail(status, ErrorInfo)
    if info and info.domain == _DOMAIN:
        failure = _from_details(error.code(), status, info)
    else:
        failure = _from_transport(error, address, timeout)
    request_id = trailers.get("x-request-id")
    failure.request_id = request_id if isinstance(request_id, str) else None
    return failure


def from_status(status: Status) -> SegueError:
    """Makes the error that says why one item of a stream failed, while the others went on."""
    code = next((code for code in grpc.StatusCode if code.value[0] == status.code), grpc.StatusCode.UNKNOWN)
    info = _detail(status, ErrorInfo) or ErrorInfo(reason=code.name)
    failure = _from_details(code, status, info)
    failure.request_id = info.metadata.get("request_id")
    return failure


def _from_details(code: grpc.StatusCode, status: Status, info: ErrorInfo) -> SegueError:
    """Reads a failure that a handler of the server described."""
    bad_request = _detail(status, BadRequest)
    retry = _detail(status, RetryInfo)
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
    """Names a failure that no handler of a Segue server described, since none was reached or another program was."""
    code, details = error.code(), error.details() or ""
    match code:
        case grpc.StatusCode.UNAVAILABLE if "handshake failed" in details.lower():
            kind: type[SegueError] = errors.ServerUnreachableError
            text = (
                f"TLS with {address} failed: check which roots you trust, and the server's name. gRPC says: {details}"
            )
        case grpc.StatusCode.UNAVAILABLE if "failed to connect" in details and "Socket closed" in details:
            kind = errors.ServerUnreachableError
            text = (
                f"{address} hangs up at once: if its server wants TLS, name the roots to trust (--tls-ca, Credentials)."
            )
        case grpc.StatusCode.UNAVAILABLE:
            kind = errors.ServerUnreachableError
            text = f"No Segue server answers at {address}: start one there with segue-server, or check the address."
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            kind = errors.DeadlineExceededError
            text = f"No answer came from {address} within {timeout:g} s: check that the server runs, or give it longer."
        case grpc.StatusCode.RESOURCE_EXHAUSTED if "larger than max" in details:
            kind = errors.MessageTooLargeError
            text = f"A message was larger than the transport to {address} allows: send a shorter or compressed file."
        # Headers that are too large come under the same code, and another try would not make them smaller.
        case grpc.StatusCode.RESOURCE_EXHAUSTED if "metadata size" not in details:
            kind = errors.OverloadedError
            text = f"The server at {address} takes no more calls for the moment: try again later."
        case grpc.StatusCode.UNIMPLEMENTED:
            kind = errors.ServerError
            text = f"What answers at {address} does not know this call: it is an older Segue or another program."
        case _:
            kind = errors.ServerError
            text = f"The call to {address} failed with {code.name}: {details or 'there are no details'}."
    failure = kind(text, code=code, metadata={"transport": details})
    if kind is errors.ServerError:
        failure.reason = code.name
    return failure


def _status(packed: str | bytes | None) -> Status:
    """Reads the details; a peer that is not ours may send anything, and its failure still has to be told."""
    try:
        return Status.FromString(packed) if isinstance(packed, bytes) else Status()
    except DecodeError:
        return Status()


def _detail(status: Status, kind: type[_Detail]) -> _Detail | None:
    """Finds the detail of one kind, or None where there is none that can be read."""
    for packed in status.details:
        detail = kind()
        try:
            if packed.Unpack(detail):
                return detail
        except DecodeError:
            continue
    return None
