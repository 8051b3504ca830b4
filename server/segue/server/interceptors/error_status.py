"""Answers every exception by its status, on every call."""

from __future__ import annotations

import re
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from segue.core import errors
from segue.server.rpc.error_status import REQUEST_ID, RETRIED, RETRY_SECONDS, convert_and_log
from segue.server.rpc.handlers import Context, Handler, Method, wrap_handler

# What gRPC's own retries go by, in any language; RetryInfo is for people and their code.
_PUSHBACK = ("grpc-retry-pushback-ms", str(1000 * RETRY_SECONDS))


def request_id(context: Context) -> str:
    """The caller's own id of this call where it sent a sensible one, else a new one."""
    for key, value in context.invocation_metadata() or ():
        # In ASCII: gRPC sends no other text back, and then not the status either.
        if key == REQUEST_ID and re.fullmatch(r"[\w.:-]{1,128}", str(value), re.ASCII):
            return str(value)
    return uuid.uuid4().hex


class ErrorStatusInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[type-arg] # generic in its types alone
    """Answers every exception by its status, and every call by its request id."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        """Wraps the handler, which ``MessageInterceptor`` has made one of streams."""
        handler = await continuation(handler_call_details)
        return handler and wrap_handler(_reading(handler), _answering)


def _reading(handler: Handler) -> Handler:
    """A handler like another, to which bytes that are no message of its kind are a mistake of the caller."""

    def read(content: bytes) -> Any:  # noqa: ANN401 - any method's messages
        try:
            return handler.request_deserializer(content) if handler.request_deserializer else content
        except DecodeError:
            raise errors.MalformedRequest(
                "request", "The message is none that this call takes. Make it by proto/."
            ) from None

    return wrap_handler(handler, lambda method: method, read)


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


async def _abort(error: Exception, call: str, context: Context) -> None:
    code, status = convert_and_log(error, call)
    trailing = [(REQUEST_ID, call), ("grpc-status-details-bin", status.SerializeToString())]
    if isinstance(error, RETRIED):
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
