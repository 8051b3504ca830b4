from __future__ import annotations

from typing import Any

import pytest

from segue.server.interceptors.error_status import request_id


class CallContext:
    """The context of a call with a request id from its caller."""

    def __init__(self, sent: str) -> None:
        self._sent = sent

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        """The metadata that the caller sent."""
        return (("x-request-id", self._sent),)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("mine-4.2:a_b", True),
        ("x" * 128, True),
        ("x" * 129, False),
        ("", False),
        ("two words", False),
        ("a\nb", False),
        ("é", False),
        ("\u0661", False),
    ],
)
def test_a_valid_request_id_is_kept(sent: str, kept: bool) -> None:
    """A request id that gRPC could not send back, or that is not one word in a log, is replaced."""
    context: Any = CallContext(sent)
    assert kept == (sent == request_id(context))
