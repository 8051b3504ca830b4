from __future__ import annotations

from typing import Any

import grpc
import pytest

from segue.core.errors import Overloaded
from segue.server.interceptors.call_observer import observed
from segue.server.observability.call_record import CallRecord
from segue.server.rpc.error_status import to_status


class RejectedCall:
    """The context of a call that is rejected, before or after its caller has left."""

    def __init__(self, *, left: bool, remaining: float) -> None:
        self._left = left
        self._remaining = remaining
        code, self._status = to_status(Overloaded("Try again."), "id-1")
        self._code = code.value[0]

    def done(self) -> bool:
        """True once the caller has left."""
        return self._left

    def code(self) -> int:
        """The code that was set."""
        return int(self._code)

    def time_remaining(self) -> float:
        """The seconds until the deadline."""
        return self._remaining

    def trailing_metadata(self) -> tuple[tuple[str, str | bytes], ...]:
        """The trailing metadata that was set."""
        return (("x-request-id", "id-1"), ("grpc-status-details-bin", self._status.SerializeToString()))


class Recorder:
    """Keeps the records of calls."""

    def __init__(self) -> None:
        self.calls: list[CallRecord] = []

    def call_started(self, method: str) -> None:
        """Keeps nothing."""

    def call_ended(self, call: CallRecord) -> None:
        """Keeps the record."""
        self.calls.append(call)


@pytest.mark.parametrize(
    ("left", "remaining", "expected"),
    [
        (False, 9.0, ("RESOURCE_EXHAUSTED", "OVERLOADED")),
        (True, 0.0, ("DEADLINE_EXCEEDED", "")),
        (True, 9.0, ("CANCELLED", "")),
    ],
)
def test_the_reason_of_a_call_whose_caller_left(left: bool, remaining: float, expected: tuple[str, str]) -> None:
    """A reason is recorded only if it was sent; the record of a caller who left says how the caller left."""
    recorder = Recorder()
    context: Any = RejectedCall(left=left, remaining=remaining)
    with pytest.raises((Overloaded, grpc.aio.AbortError)), observed("/a.B/C", context, [recorder]):
        raise Overloaded("Try again.") if left else grpc.aio.AbortError
    (call,) = recorder.calls
    assert (*expected, "id-1") == (call.code, call.reason, call.request_id)


@pytest.mark.parametrize(("remaining", "code"), [(0.0, "DEADLINE_EXCEEDED"), (-1.0, "DEADLINE_EXCEEDED"), (0.5, "OK")])
def test_a_response_after_the_deadline(remaining: float, code: str) -> None:
    """A method that ends after its caller's deadline has not answered anyone."""
    recorder = Recorder()
    context: Any = EndedCall(left=False, remaining=remaining)
    with observed("/a.B/C", context, [recorder]):
        pass
    assert [code] == [call.code for call in recorder.calls]


class EndedCall(RejectedCall):
    """The context of a call that ends without an error."""

    def code(self) -> int:
        """No code was set."""
        return 0

    def trailing_metadata(self) -> tuple[tuple[str, str | bytes], ...]:
        """Nothing was set."""
        return ()
