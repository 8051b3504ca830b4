"""What is known of a call when it has ended, for whoever counts or logs it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

CLOCK_SKEW_SECONDS = 0.1
"""A caller whose deadline passes hangs up, and that reaches the server so many seconds before its own clock says so."""


@dataclass(frozen=True)
class CallRecord:
    """How a call ended.

    Attributes:
        method: the full name of the procedure, such as "/segue.v1.CatalogService/GetStatus".
        code: the name of the gRPC status code.
        reason: the reason of its ErrorInfo, or empty.
        seconds: how long it took, streams from the first to the last message.
        request_id: the id that the caller was told, or empty where none was.
    """

    method: str
    code: str
    reason: str
    seconds: float
    request_id: str


class CallObserver(Protocol):
    """Whoever is told of calls; both methods are called in the event loop and must not block."""

    def call_started(self, method: str) -> None:
        """A call was taken up."""

    def call_ended(self, call: CallRecord) -> None:
        """A call that was taken up has ended, however it did."""
