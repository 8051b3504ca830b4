"""The spans of calls and of their stages, as the server sees them whether traces are exported or not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from segue.server.observability.call_record import CallRecord


class CallSpan(Protocol):
    """The span of a call."""

    def end(self, call: CallRecord) -> None:
        """Ends the span with the outcome of the call."""


class Spans(Protocol):
    """Makes spans; every method is thread-safe and must not block."""

    def begin_call(self, method: str, metadata: Iterable[tuple[str, str | bytes]]) -> CallSpan:
        """Begins the span of a call, which is current in this task from now on.

        Args:
            method: full name of the method, such as "/segue.v1.CatalogService/GetStatus".
            metadata: metadata of the call, which may name the span of the caller.
        """

    def add_stage(self, stage: str, begun: float, ended: float, error: str = "") -> None:
        """Adds the span of a stage to the current call, if there is one.

        Args:
            stage: name of the stage.
            begun: its start, on the clock of ``time.monotonic``.
            ended: its end, on the same clock.
            error: kind of the error that ended it, or empty.
        """
