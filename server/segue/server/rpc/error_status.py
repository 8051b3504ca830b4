"""Conversion of exceptions to google.rpc.Status, in one place for every call."""

from __future__ import annotations

import logging
import math

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from segue.core import errors
from segue.server.rpc.handlers import Context

DOMAIN = "segue.v1"
REQUEST_ID = "x-request-id"
_RETRY_SECONDS = 1.0
_MAX_MESSAGE_LENGTH = 1_000

_CODES: dict[type[errors.SegueError], grpc.StatusCode] = {
    errors.AudioError: grpc.StatusCode.INVALID_ARGUMENT,
    errors.MalformedRequest: grpc.StatusCode.INVALID_ARGUMENT,
    errors.TrackNotFound: grpc.StatusCode.NOT_FOUND,
    errors.CatalogueEmpty: grpc.StatusCode.FAILED_PRECONDITION,
    errors.CatalogueMismatch: grpc.StatusCode.FAILED_PRECONDITION,
    errors.CatalogueLocked: grpc.StatusCode.UNAVAILABLE,
    errors.Overloaded: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.QuotaExceeded: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.StoreUnavailable: grpc.StatusCode.UNAVAILABLE,
    errors.TokenMissing: grpc.StatusCode.UNAUTHENTICATED,
    errors.TokenUnknown: grpc.StatusCode.UNAUTHENTICATED,
    errors.TokenScope: grpc.StatusCode.PERMISSION_DENIED,
    errors.WritesDisabled: grpc.StatusCode.PERMISSION_DENIED,
    errors.Starting: grpc.StatusCode.UNAVAILABLE,
    errors.WorkerKilled: grpc.StatusCode.UNAVAILABLE,
    errors.DeadlinePassed: grpc.StatusCode.DEADLINE_EXCEEDED,
    errors.StreamStalled: grpc.StatusCode.DEADLINE_EXCEEDED,
}

_RETRYABLE = (
    errors.CatalogueLocked,
    errors.Overloaded,
    errors.StoreUnavailable,
    errors.Starting,
    errors.WorkerKilled,
)

_log = logging.getLogger(__name__)


def to_status(error: Exception, request_id: str) -> tuple[grpc.StatusCode, status_pb2.Status]:
    """Converts an exception to its code and its status, which has exactly one ErrorInfo.

    An exception that Segue does not raise deliberately becomes INTERNAL, and its status holds only the request id.
    """
    code = next((code for kind, code in _CODES.items() if isinstance(error, kind)), grpc.StatusCode.INTERNAL)
    known = code is not grpc.StatusCode.INTERNAL
    reason = error.reason if known and isinstance(error, errors.SegueError) else "INTERNAL"
    internal = f"Something went wrong inside Segue. Report it with the request id {request_id}."
    message = public_message(error) if known else internal
    facts = error.facts if known and isinstance(error, errors.SegueError) else {}
    info = error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN, metadata={"request_id": request_id, **facts})
    details = [info, *_standard_details(error, message)]
    number: int = code.value[0]
    return code, status_pb2.Status(code=number, message=message, details=[_packed(detail) for detail in details])


def public_message(error: Exception) -> str:
    """Returns the message of a deliberate error for callers, without details of the server's machine."""
    if isinstance(error, errors.CatalogueLost):
        return "The catalogue's Redis has lost data of the catalogue. The server's log says how to restore it."
    if isinstance(error, errors.CatalogueLocked):
        return "Another program writes the catalogue, such as the indexer. Send the write again in a moment."
    if isinstance(error, errors.StoreUnavailable):
        return "The catalogue's Redis does not answer. Try again in a second; the server's log says more."
    # A status is sent in a header; a long header is truncated or refused.
    return str(error)[:_MAX_MESSAGE_LENGTH]


def _standard_details(error: Exception, message: str) -> list[Message]:
    """Returns the standard error details for an error, in addition to its ErrorInfo."""
    if isinstance(error, (errors.MalformedRequest, errors.AudioError)):
        violation = error_details_pb2.BadRequest.FieldViolation(field=error.field, description=message)
        return [error_details_pb2.BadRequest(field_violations=[violation])]
    if isinstance(error, errors.TrackNotFound):
        return [error_details_pb2.ResourceInfo(resource_type="segue.v1.Track", resource_name=error.name)]
    details: list[Message] = []
    if isinstance(error, errors.QuotaExceeded):
        subject = error.facts.get("subject", "")
        violation = error_details_pb2.QuotaFailure.Violation(subject=subject, description=message)
        details.append(error_details_pb2.QuotaFailure(violations=[violation]))
    if seconds := retry_seconds(error):
        delay = Duration()
        delay.FromNanoseconds(math.ceil(1e9 * seconds))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    return details


def retry_seconds(error: Exception) -> float | None:
    """Returns the seconds after which a call with this error may succeed; None if it will not."""
    if isinstance(error, errors.QuotaExceeded):
        return error.retry_seconds
    return _RETRY_SECONDS if isinstance(error, _RETRYABLE) else None


def _packed(detail: Message) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(detail)
    return packed


def item_status(error: Exception, context: Context) -> status_pb2.Status:
    """Converts the error of one item, and logs it if it concerns the operator; the stream continues."""
    request_id = next((str(value) for key, value in context.trailing_metadata() or () if key == REQUEST_ID), "")
    return convert_and_log(error, request_id)[1]


def convert_and_log(error: Exception, request_id: str) -> tuple[grpc.StatusCode, status_pb2.Status]:
    """Converts an error to its status, and logs errors that the operator must know of."""
    code, status = to_status(error, request_id)
    if code is grpc.StatusCode.INTERNAL:
        _log.error("request %s failed", request_id, exc_info=error, extra={"request_id": request_id})
    elif isinstance(error, errors.StoreUnavailable):
        _log.warning("request %s: %s", request_id, error, extra={"request_id": request_id})
    return code, status
