"""The span of a call, in a process that traces with OpenTelemetry."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from google.protobuf.message import Message

from segue.client.errors import SegueError

Metadata = tuple[tuple[str, str], ...]


@contextmanager
def call_span(request: type[Message]) -> Iterator[Metadata]:
    """Makes a span of the call in the block, and yields the metadata that connects it with the server's span.

    Without OpenTelemetry in the process the metadata are empty. The span is never the current one: the block may yield
    to its caller.

    Args:
        request: type of the call's messages.

    Raises:
        SegueError: the block raises it, and the span has its reason.
    """
    if "opentelemetry.trace" not in sys.modules:
        yield ()
        return
    from opentelemetry import propagate, trace  # noqa: PLC0415 - only where the process has imported it

    method = _method_of(request)
    attributes = {"rpc.system.name": "grpc", "rpc.method": method}
    span = trace.get_tracer("segue.client").start_span(method, kind=trace.SpanKind.CLIENT, attributes=attributes)
    carrier: dict[str, str] = {}
    propagate.inject(carrier, trace.set_span_in_context(span))
    try:
        yield tuple(carrier.items())
        span.set_attribute("rpc.response.status_code", "OK")
    except SegueError as error:
        span.set_attribute("rpc.response.status_code", error.code.name)
        span.set_attribute("error.type", error.reason)
        if error.request_id:
            span.set_attribute("segue.request_id", error.request_id)
        span.set_status(trace.Status(trace.StatusCode.ERROR, error.reason))
        raise
    finally:
        span.end()


def _method_of(request: type[Message]) -> str:
    """Returns the full name of the method that takes a type of messages; the contract has one for each."""
    services = request.DESCRIPTOR.file.services_by_name.values()
    methods = [method for service in services for method in service.methods]
    return next(
        f"{method.containing_service.full_name}/{method.name}"
        for method in methods
        if method.input_type.full_name == request.DESCRIPTOR.full_name
    )
