"""Reports the start and the end of every call to observers that count or log calls."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import grpc
from google.rpc import error_details_pb2, status_pb2

from segue.server.observability.call_record import CLOCK_SKEW_SECONDS, CallObserver, CallRecord
from segue.server.observability.spans import Spans
from segue.server.rpc.handlers import Context, Handler, HandlerInterceptor, wrap_handler
from segue.server.rpc.service_names import SERVICES, service_of

_STATUS_CODES = {code.value[0]: code for code in grpc.StatusCode}


class CallObserverInterceptor(HandlerInterceptor):
    """Reports every call of a known method; must be the outermost interceptor."""

    def __init__(self, observers: Sequence[CallObserver], spans: Spans | None = None) -> None:
        """Creates the interceptor.

        Args:
            observers: receive the start and the record of each call.
            spans: makes a span of each call of Segue's own services, or None.
        """
        super().__init__()
        self._observers, self._spans = observers, spans

    def wrapped(self, handler: Handler, name: str) -> Handler:
        """Makes the observers see each call of the method."""
        spans = self._spans if service_of(name) in SERVICES else None
        return wrap_handler(handler, lambda context: observed(name, context, self._observers, spans))


@contextmanager
def observed(
    method: str, context: Context, observers: Sequence[CallObserver], spans: Spans | None = None
) -> Iterator[None]:
    """Makes observers see the call in the block.

    Args:
        method: full name of its method.
        context: context of the call.
        observers: receive the start and the record of the call.
        spans: makes a span of the call, or None.
    """
    start = time.perf_counter()
    span = spans and spans.begin_call(method, context.invocation_metadata() or ())
    code = grpc.StatusCode.UNKNOWN  # the status that gRPC sends for an exception without one
    for observer in observers:
        observer.call_started(method)
    try:
        yield
        code = _code_at_end(context)
    except grpc.aio.AbortError:
        code = _status_code(context)
        raise
    except (asyncio.CancelledError, GeneratorExit):
        code = _cancellation_code(context)
        raise
    except Exception:
        # If the call is over already, its caller never receives the status.
        code = _cancellation_code(context) if context.done() else code
        raise
    finally:
        record = _call_record(method, code, time.perf_counter() - start, context)
        for observer in observers:
            observer.call_ended(record)
        if span:
            span.end(record)


def _cancellation_code(context: Context) -> grpc.StatusCode:
    """Returns DEADLINE_EXCEEDED for a caller who cancelled at its deadline, else CANCELLED."""
    remaining = context.time_remaining()
    late = remaining is not None and remaining < CLOCK_SKEW_SECONDS
    return grpc.StatusCode.DEADLINE_EXCEEDED if late else grpc.StatusCode.CANCELLED


def _code_at_end(context: Context) -> grpc.StatusCode:
    """Returns the status of a method that has ended; a caller whose deadline has passed gets no response any more."""
    code, remaining = _status_code(context), context.time_remaining()
    is_late = code is grpc.StatusCode.OK and remaining is not None and remaining <= 0
    return grpc.StatusCode.DEADLINE_EXCEEDED if is_late else code


def _status_code(context: Context) -> grpc.StatusCode:
    """Returns the status that the method has set; gRPC keeps it as an enum, as a number, or not at all."""
    code = context.code() or 0
    return code if isinstance(code, grpc.StatusCode) else _STATUS_CODES[code]


def _call_record(method: str, code: grpc.StatusCode, seconds: float, context: Context) -> CallRecord:
    trailing = {str(key): value for key, value in context.trailing_metadata() or ()}
    request_id = str(trailing.get("x-request-id", ""))
    reason = _reason(trailing.get("grpc-status-details-bin", b""), code)
    return CallRecord(method, code.name, reason, seconds, request_id)


def _reason(details: bytes | str, code: grpc.StatusCode) -> str:
    """Returns the reason of a call's status, or "" if the caller left before a status with another code was sent."""
    if not details:
        return ""
    status = status_pb2.Status.FromString(details if isinstance(details, bytes) else b"")
    info = error_details_pb2.ErrorInfo()
    for detail in status.details:
        if detail.Unpack(info) and status.code == code.value[0]:
            return str(info.reason)
    return ""
