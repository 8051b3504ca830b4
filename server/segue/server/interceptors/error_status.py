"""Ends a call that raises an exception with the status of the exception."""

from __future__ import annotations

import math
import re
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from segue.core import errors
from segue.server.rpc.error_status import REQUEST_ID, convert_and_log, retry_seconds
from segue.server.rpc.handlers import Context, Handler, HandlerInterceptor, Method, replace_method

# gRPC's own retries read this header, in every language; RetryInfo is for people and their programs.
_PUSHBACK = "grpc-retry-pushback-ms"


def request_id(context: Context) -> str:
    """Returns the request id that the caller sent if it is valid, else a new one."""
    for key, value in context.invocation_metadata() or ():
        # ASCII only: gRPC cannot send other text back, and would then send no status either.
        if key == REQUEST_ID and re.fullmatch(r"[\w.:-]{1,128}", str(value), re.ASCII):
            return str(value)
    return uuid.uuid4().hex


class ErrorStatusInterceptor(HandlerInterceptor):
    """Converts every exception to a status, and sends the request id with every call."""

    def wrapped(self, handler: Handler, name: str) -> Handler:
        """Converts the exceptions of the method."""
        return replace_method(handler, _with_status, _stream_with_status, _with_typed_errors(handler))


def _with_typed_errors(handler: Handler) -> Callable[[bytes], Any]:
    """Returns a deserializer that raises MalformedRequest for bytes that are not a message of the method."""

    def deserialize(content: bytes) -> Any:  # noqa: ANN401 - any method's messages
        try:
            return handler.request_deserializer(content) if handler.request_deserializer else content
        except DecodeError:
            raise errors.MalformedRequest(
                "request", "The bytes are not a message of this method. Encode it as the files in proto/ define it."
            ) from None

    return deserialize


def _with_status(method: Method) -> Method:
    async def respond(requests: Any, context: Context) -> Any:  # noqa: ANN401 - any method's messages
        async with _converting_errors(context):
            return await method(requests, context)

    return respond


def _stream_with_status(method: Method) -> Method:
    async def respond(requests: Any, context: Context) -> AsyncIterator[Any]:  # noqa: ANN401 - any method's messages
        async with _converting_errors(context), aclosing(method(requests, context)) as responses:
            async for response in responses:
                yield response

    return respond


@asynccontextmanager
async def _converting_errors(context: Context) -> AsyncIterator[None]:
    """Ends the call with the status of an exception that is raised in the block."""
    call_id = request_id(context)
    context.set_trailing_metadata(((REQUEST_ID, call_id),))
    try:
        yield
    except grpc.aio.AbortError:
        raise
    except Exception as error:  # noqa: BLE001 - any exception ends the call with its status
        await _abort(error, call_id, context)
        _clear_tracebacks(error)


async def _abort(error: Exception, call_id: str, context: Context) -> None:
    code, status = convert_and_log(error, call_id)
    trailing = [(REQUEST_ID, call_id), ("grpc-status-details-bin", status.SerializeToString())]
    if seconds := retry_seconds(error):
        trailing.append((_PUSHBACK, str(math.ceil(1000 * seconds))))
    try:
        await context.abort(code, status.message, tuple(trailing))
    except grpc.aio.AbortError as aborted:
        # gRPC raises it again after the method returns, and the call refers to it, so it must not refer to the call.
        aborted.__context__ = None
        _clear_tracebacks(aborted)


def _clear_tracebacks(error: BaseException | None) -> None:
    """Removes the tracebacks of an error and its causes, so that they do not refer to the call and its messages.

    The frames of a traceback refer to each other and, in some versions of Python, to the error. That memory would stay
    in use until the next full garbage collection, hours later.
    """
    while error:
        error.__traceback__ = None
        error = error.__cause__ or error.__context__
