"""The record of a finished call, and the protocol of those that count or log calls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

CLOCK_SKEW_SECONDS = 0.1
"""Longest time by which a cancellation at the caller's deadline reaches the server before the server's own deadline."""


@dataclass(frozen=True)
class CallRecord:
    """The outcome of a call.

    Attributes:
        method: full name of the method, such as "/segue.v1.CatalogService/GetStatus".
        code: name of the gRPC status code.
        reason: reason of the ErrorInfo, or empty.
        seconds: duration; of a stream, from the first to the last message.
        request_id: request id in the trailing metadata, or empty.
    """

    method: str
    code: str
    reason: str
    seconds: float
    request_id: str


class CallObserver(Protocol):
    """An observer of every call; both methods run in the event loop and must not block."""

    def call_started(self, method: str) -> None:
        """Receives the full name of the method of a call that has started."""

    def call_ended(self, call: CallRecord) -> None:
        """Receives the record of a call that has ended in any way."""
