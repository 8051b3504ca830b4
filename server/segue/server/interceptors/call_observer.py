"""Watches every call from the first byte to the status, for whoever counts or logs it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from typing import Any

import grpc
from google.rpc import error_details_pb2, status_pb2

from segue.server.observability.call_record import CLOCK_SKEW_SECONDS, CallObserver, CallRecord
from segue.server.rpc.handlers import Context, Handler, Method, wrap_handler


class CallObserverInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[type-arg] # generic in its types alone
    """Tells watchers of every call of a method that exists; to be the outermost interceptor."""

    def __init__(self, watchers: Sequence[CallObserver]) -> None:
        self._watchers = watchers

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        """Wraps the handler, which ``MessageInterceptor`` has made one of streams."""
        handler = await continuation(handler_call_details)
        name = handler_call_details.method
        return handler and wrap_handler(handler, lambda method: observe_calls(method, name, self._watchers))


def observe_calls(method: Method, name: str, watchers: Sequence[CallObserver]) -> Method:
    """A method like another, of which the watchers are told."""

    async def stream(requests: Any, context: Context) -> AsyncIterator[Any]:  # noqa: ANN401 - any method's messages
        with _told(name, context, watchers):
            async with aclosing(method(requests, context)) as messages:
                async for message in messages:
                    yield message

    return stream


@contextmanager
def _told(method: str, context: Context, watchers: Sequence[CallObserver]) -> Iterator[None]:
    start = time.perf_counter()
    code = grpc.StatusCode.UNKNOWN  # what gRPC answers to an exception that nobody has made a status of
    for watcher in watchers:
        watcher.call_started(method)
    try:
        yield
        code = _code(context)
    except grpc.aio.AbortError:
        code = _code(context)
        raise
    except (asyncio.CancelledError, GeneratorExit):
        code = _left(context)
        raise
    except Exception:
        # Where the call is over, its status found nobody to be sent to.
        code = _left(context) if context.done() else code
        raise
    finally:
        call_ended = _ended(method, code, time.perf_counter() - start, context)
        for watcher in watchers:
            watcher.call_ended(call_ended)


def _left(context: Context) -> grpc.StatusCode:
    """Why a caller left."""
    left = context.time_remaining()
    late = left is not None and left < CLOCK_SKEW_SECONDS
    return grpc.StatusCode.DEADLINE_EXCEEDED if late else grpc.StatusCode.CANCELLED


def _code(context: Context) -> grpc.StatusCode:
    """The status that the method has set; gRPC gives it back as it was set, by name, by number or not at all."""
    code = context.code() or 0
    return next(known for known in grpc.StatusCode if code in {known, known.value[0]})


def _ended(method: str, code: grpc.StatusCode, seconds: float, context: Context) -> CallRecord:
    trailing = {str(key): value for key, value in context.trailing_metadata() or ()}
    request_id = str(trailing.get("x-request-id", ""))
    return CallRecord(
        method, code.name, _reason(trailing.get("grpc-status-details-bin", b""), code), seconds, request_id
    )


def _reason(status: bytes | str, code: grpc.StatusCode) -> str:
    """The reason for a code; whoever left was told none, and the status that was about to be sent has another code."""
    told = status_pb2.Status.FromString(status if isinstance(status, bytes) else b"")
    info = error_details_pb2.ErrorInfo()
    for detail in told.details:
        if detail.Unpack(info) and told.code == code.value[0]:
            return str(info.reason)
    return ""
