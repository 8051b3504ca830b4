"""The call that records feedback."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from segue.client import _calls


def test_now_is_the_default() -> None:
    """Without a time, the action happens now."""
    request = _calls.record_feedback("anna", "0" * 32, "liked", None).request
    assert abs(request.time.ToDatetime(UTC) - datetime.now(UTC)) < timedelta(minutes=1)


@pytest.mark.parametrize("kind", ["", "LIKED", "loved", "unspecified"])
def test_an_unknown_kind_is_refused(kind: str) -> None:
    """The error names the kinds."""
    with pytest.raises(ValueError, match="played, skipped, liked or disliked"):
        _calls.record_feedback("anna", "0" * 32, kind, None)  # type: ignore[arg-type] # what a caller might write


def test_a_time_without_a_zone_is_refused() -> None:
    """A time that would depend on the machine is an error."""
    with pytest.raises(ValueError, match="no time zone"):
        _calls.record_feedback("anna", "0" * 32, "liked", datetime(2026, 12, 1))
