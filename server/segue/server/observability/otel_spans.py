"""Makes OpenTelemetry spans; imported only where traces are exported, see ``segue.core.settings.tracing``.

Attributes have no audio, tokens, paths or titles: of an error they have only its kind.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

import grpc
from opentelemetry import context, propagate, trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, TracerProvider

from segue.server.observability.call_record import CallRecord

# Other codes are the caller's fault, and no errors of the server by OpenTelemetry's conventions.
_SERVER_ERRORS = {"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"}
_NANOSECONDS = 1_000_000_000


class OtelCallSpan:
    """The span of a call."""

    def __init__(self, span: Span) -> None:
        self._span = span

    def end(self, call: CallRecord) -> None:
        """Ends the span with the outcome of the call."""
        self._span.set_attribute("rpc.response.status_code", call.code)
        if call.request_id:
            self._span.set_attribute("segue.request_id", call.request_id)
        if call.code != grpc.StatusCode.OK.name:
            self._span.set_attribute("error.type", call.reason or call.code)
        if call.code in _SERVER_ERRORS:
            self._span.set_status(Status(StatusCode.ERROR, call.reason or call.code))
        self._span.end()


class OtelSpans:
    """Makes the spans of a server; see ``segue.server.observability.spans``."""

    def __init__(self, provider: TracerProvider) -> None:
        self._tracer = provider.get_tracer("segue.server")

    def begin_call(self, method: str, metadata: Iterable[tuple[str, str | bytes]]) -> OtelCallSpan:
        """Begins the span of a call in the trace that its caller names, or in a new one."""
        name = method.strip("/")
        carrier = {key: value for key, value in metadata if isinstance(value, str)}
        span = self._tracer.start_span(
            name,
            context=propagate.extract(carrier),
            kind=SpanKind.SERVER,
            attributes={"rpc.system.name": "grpc", "rpc.method": name},
        )
        # For the rest of this task, which is that of a single call. A generator that is left open ends in another task,
        # where the context could not be set back.
        context.attach(trace.set_span_in_context(span))
        return OtelCallSpan(span)

    def add_stage(self, stage: str, begun: float, ended: float, error: str = "") -> None:
        """Adds the span of a stage to the current call, if there is one."""
        if not trace.get_current_span().get_span_context().is_valid:
            return
        span = self._tracer.start_span(stage, start_time=_unix_nanoseconds(begun))
        if error:
            span.set_attribute("error.type", error)
            span.set_status(Status(StatusCode.ERROR, error))
        span.end(_unix_nanoseconds(ended))


def _unix_nanoseconds(seconds: float) -> int:
    """Converts a time on the clock of ``time.monotonic``."""
    return time.time_ns() - round((time.monotonic() - seconds) * _NANOSECONDS)
