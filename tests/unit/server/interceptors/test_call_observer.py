from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from segue.core.errors import Overloaded
from segue.server.interceptors.call_observer import observe_calls
from segue.server.observability.call_record import CallRecord
from segue.server.rpc.error_status import to_status


class Call:
    """A call that was refused, in time or when its caller had left."""

    def __init__(self, *, left: bool, remaining: float) -> None:
        self._left = left
        self._remaining = remaining
        code, self._status = to_status(Overloaded("Try again."), "id-1")
        self._code = code.value[0]

    def done(self) -> bool:
        """Whether nobody can be told any more."""
        return self._left

    def code(self) -> int:
        """What was set."""
        return int(self._code)

    def time_remaining(self) -> float:
        """Until the deadline."""
        return self._remaining

    def trailing_metadata(self) -> tuple[tuple[str, str | bytes], ...]:
        """What was set."""
        return (("x-request-id", "id-1"), ("grpc-status-details-bin", self._status.SerializeToString()))


class Watching:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.calls: list[CallRecord] = []

    def call_started(self, method: str) -> None:
        """Keeps nothing."""

    def call_ended(self, call: CallRecord) -> None:
        """Keeps how it ended."""
        self.calls.append(call)


async def refused(_requests: object, context: Call) -> AsyncIterator[bytes]:
    """A method that refuses."""
    raise Overloaded("Try again.") if context.done() else grpc.aio.AbortError
    yield b""


@pytest.mark.parametrize(
    ("left", "remaining", "expected"),
    [
        (False, 9.0, ("RESOURCE_EXHAUSTED", "OVERLOADED")),
        (True, 0.0, ("DEADLINE_EXCEEDED", "")),
        (True, 9.0, ("CANCELLED", "")),
    ],
)
async def test_whoever_left_was_told_no_reason(left: bool, remaining: float, expected: tuple[str, str]) -> None:
    """A reason that was found too late is counted for nobody; one that was sent is."""
    watching = Watching()
    context: Any = Call(left=left, remaining=remaining)
    with pytest.raises((Overloaded, grpc.aio.AbortError)):
        await anext(observe_calls(refused, "/a.B/C", [watching])(None, context))
    (call,) = watching.calls
    assert (*expected, "id-1") == (call.code, call.reason, call.request_id)
