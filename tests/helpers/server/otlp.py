"""A receiver of traces by OTLP, as a collector has."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NamedTuple

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status


class ReceivedSpan(NamedTuple):
    """A span, with the name of its program.

    Attributes:
        service: name of the program.
        span: the span as it was sent.
    """

    service: str
    span: Span

    @property
    def attributes(self) -> dict[str, str]:
        """The attributes, which are all texts."""
        return {attribute.key: attribute.value.string_value for attribute in self.span.attributes}

    @property
    def failed(self) -> bool:
        """True if its status is an error."""
        return self.span.status.code == Status.STATUS_CODE_ERROR


class TraceReceiver(TraceServiceServicer):
    """Keeps the spans that it receives.

    Attributes:
        address: URL of the receiver.
        spans: the spans, in the order in which they came.
    """

    def __init__(self) -> None:
        self.address = ""
        self.spans: list[ReceivedSpan] = []

    def Export(self, request: ExportTraceServiceRequest, context: Any) -> ExportTraceServiceResponse:  # noqa: ANN401, N802 - the contract's own
        """Receives spans."""
        for part in request.resource_spans:
            names = {item.key: item.value.string_value for item in part.resource.attributes}
            spans = [span for scope in part.scope_spans for span in scope.spans]
            self.spans += [ReceivedSpan(names["service.name"], span) for span in spans]
        return ExportTraceServiceResponse()

    def named(self, name: str) -> list[ReceivedSpan]:
        """The spans with a name."""
        return [received for received in self.spans if received.span.name == name]


@contextmanager
def trace_receiver() -> Iterator[TraceReceiver]:
    """Serves a receiver on a free port."""
    receiver = TraceReceiver()
    server = grpc.server(ThreadPoolExecutor(2))
    add_TraceServiceServicer_to_server(receiver, server)  # type: ignore[no-untyped-call] # generated without types
    receiver.address = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield receiver
    finally:
        server.stop(None).wait()
