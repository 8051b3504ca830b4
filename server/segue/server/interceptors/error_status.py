"""The one place where an exception becomes a gRPC status, and the interceptor that does it for every call."""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2

from segue.core import errors
from segue.server.interceptors.call_observer import Context, Handler, Method, around

DOMAIN = "segue.v1"
REQUEST_ID = "x-request-id"
RETRY_SECONDS = 1
_LONGEST_MESSAGE = 1_000
# What gRPC's own retries go by, in any language; RetryInfo is for people and their code.
_PUSHBACK = ("grpc-retry-pushback-ms", str(1000 * RETRY_SECONDS))

_CODES: dict[type[errors.SegueError], grpc.StatusCode] = {
    errors.AudioError: grpc.StatusCode.INVALID_ARGUMENT,
    errors.MalformedRequest: grpc.StatusCode.INVALID_ARGUMENT,
    errors.TrackNotFound: grpc.StatusCode.NOT_FOUND,
    errors.CatalogueEmpty: grpc.StatusCode.FAILED_PRECONDITION,
    errors.CatalogueMismatch: grpc.StatusCode.FAILED_PRECONDITION,
    errors.Overloaded: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.StoreUnavailable: grpc.StatusCode.UNAVAILABLE,
    errors.TokenMissing: grpc.StatusCode.UNAUTHENTICATED,
    errors.TokenUnknown: grpc.StatusCode.UNAUTHENTICATED,
    errors.TokenScope: grpc.StatusCode.PERMISSION_DENIED,
    errors.Starting: grpc.StatusCode.UNAVAILABLE,
    errors.DeadlinePassed: grpc.StatusCode.DEADLINE_EXCEEDED,
    errors.StreamStalled: grpc.StatusCode.DEADLINE_EXCEEDED,
}

_RETRIED = (errors.Overloaded, errors.StoreUnavailable, errors.Starting)

_log = logging.getLogger(__name__)


def to_status(error: Exception, request_id: str) -> tuple[grpc.StatusCode, status_pb2.Status]:
    """What a caller is told of an error: exactly one ErrorInfo, and what helps to mend it.

    Nothing of an error that Segue did not mean to raise leaves the server but the request id.
    """
    code = next((code for kind, code in _CODES.items() if isinstance(error, kind)), grpc.StatusCode.INTERNAL)
    known = code is not grpc.StatusCode.INTERNAL
    reason = error.reason if known and isinstance(error, errors.SegueError) else "INTERNAL"
    internal = f"Something went wrong inside Segue. Report it with the request id {request_id}."
    message = public_message(error) if known else internal
    facts = error.facts if known and isinstance(error, errors.SegueError) else {}
    info = error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN, metadata={"request_id": request_id, **facts})
    details = [info, *_help(error, message)]
    number: int = code.value[0]
    return code, status_pb2.Status(code=number, message=message, details=[_packed(detail) for detail in details])


def public_message(error: Exception) -> str:
    """What a caller may read of an error that Segue means to raise: nothing of the server's own machine."""
    if isinstance(error, errors.StoreUnavailable):
        return "The catalogue's Redis does not answer. Try again in a second; the server's log says more."
    # A status travels in a header, which is cut off, or refused, when it is long.
    return str(error)[:_LONGEST_MESSAGE]


def _help(error: Exception, message: str) -> list[Message]:
    """The standard details that go with an error beside its ErrorInfo."""
    if isinstance(error, (errors.MalformedRequest, errors.AudioError)):
        violation = error_details_pb2.BadRequest.FieldViolation(field=error.field, description=message)
        return [error_details_pb2.BadRequest(field_violations=[violation])]
    if isinstance(error, errors.TrackNotFound):
        return [error_details_pb2.ResourceInfo(resource_type="segue.v1.Track", resource_name=error.track_id)]
    if isinstance(error, _RETRIED):
        return [error_details_pb2.RetryInfo(retry_delay=Duration(seconds=RETRY_SECONDS))]
    return []


def _packed(detail: Message) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(detail)
    return packed


def request_id(context: Context) -> str:
    """The caller's own id of this call where it sent a sensible one, else a new one."""
    for key, value in context.invocation_metadata() or ():
        # In ASCII: gRPC sends no other text back, and then not the status either.
        if key == REQUEST_ID and re.fullmatch(r"[\w.:-]{1,128}", str(value), re.ASCII):
            return str(value)
    return uuid.uuid4().hex


class StatusInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[type-arg] # generic in its types alone
    """Answers every exception by its status, and every call by its request id."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        """Wraps the handler, which ``MessageInterceptor`` has made one of streams."""
        handler = await continuation(handler_call_details)
        return handler and around(_reading(handler), _answering)


def _reading(handler: Handler) -> Handler:
    """A handler like another, to which bytes that are no message of its kind are a mistake of the caller."""

    def read(content: bytes) -> Any:  # noqa: ANN401 - any method's messages
        try:
            return handler.request_deserializer(content) if handler.request_deserializer else content
        except DecodeError:
            raise errors.MalformedRequest(
                "request", "The message is none that this call takes. Make it by proto/."
            ) from None

    return around(handler, lambda method: method, read)


def _answering(method: Method) -> Method:
    async def stream(requests: Any, context: Context) -> AsyncIterator[Any]:  # noqa: ANN401 - any method's messages
        async with _told(context), aclosing(method(requests, context)) as messages:
            async for message in messages:
                yield message

    return stream


@asynccontextmanager
async def _told(context: Context) -> AsyncIterator[None]:
    """Ends the call by the status of whatever is raised in here."""
    call = request_id(context)
    context.set_trailing_metadata(((REQUEST_ID, call),))
    try:
        yield
    except grpc.aio.AbortError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, the call ends by it, and by nothing else
        await _abort(error, call, context)
        _let_go(error)


def item_status(error: Exception, context: Context) -> status_pb2.Status:
    """What the caller of a stream is told of one item that failed, while the stream goes on."""
    call = next((str(value) for key, value in context.trailing_metadata() or () if key == REQUEST_ID), "")
    return _logged(error, call)[1]


def _logged(error: Exception, call: str) -> tuple[grpc.StatusCode, status_pb2.Status]:
    code, status = to_status(error, call)
    if code is grpc.StatusCode.INTERNAL:
        _log.error("request %s failed", call, exc_info=error, extra={"request_id": call})
    elif isinstance(error, errors.StoreUnavailable):
        _log.warning("request %s: %s", call, error, extra={"request_id": call})
    return code, status


async def _abort(error: Exception, call: str, context: Context) -> None:
    code, status = _logged(error, call)
    trailing = [(REQUEST_ID, call), ("grpc-status-details-bin", status.SerializeToString())]
    if isinstance(error, _RETRIED):
        trailing.append(_PUSHBACK)
    try:
        await context.abort(code, status.message, tuple(trailing))
    except grpc.aio.AbortError as aborted:
        # gRPC raises it again when the method has returned, and the call holds it: it must not hold the call in turn.
        aborted.__context__ = None
        _let_go(aborted)


def _let_go(error: BaseException | None) -> None:
    """Has an error, and those behind it, hold nothing of the call, with all that was sent.

    The frames that an error came through hold each other and, in some versions of Python, the error: that would be
    memory until the next full collection of garbage, hours later.
    """
    while error:
        error.__traceback__ = None
        error = error.__cause__ or error.__context__
