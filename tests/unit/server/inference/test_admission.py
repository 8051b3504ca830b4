from __future__ import annotations

import pytest

from segue.core.errors import Overloaded
from segue.server.inference.admission import Admission, weight


@pytest.mark.parametrize(
    ("size", "seconds", "expected"),
    [
        (1_300_000, 30.0, 30.0),
        (100_000, 3.0, 10.0),  # the fixed cost of a short clip
        (2_000_000, 3600.0, 60.0),  # of a long clip, only a minute is decoded
        (16 * 2**20, 0.0, 60.0),  # a wrong header does not make bytes lighter
    ],
)
def test_weight(size: int, seconds: float, expected: float) -> None:
    """The weight of a clip is its duration, within the least and the most that a clip costs."""
    assert expected == weight(size, seconds)


def test_a_full_queue() -> None:
    """A clip that does not fit is rejected, and admitted once the others are done."""
    admission = Admission(60)
    admitted = (admission.admit(30), admission.admit(30))
    with admitted[0], admitted[1], pytest.raises(Overloaded, match="60 s of audio"), admission.admit(10):
        pass
    with admission.admit(60):
        assert 60 == admission.waiting_seconds()
    assert 0 == admission.waiting_seconds()


def test_a_single_clip() -> None:
    """A clip that is heavier than the limit is admitted while no other clip is."""
    admission = Admission(10)
    with admission.admit(60), pytest.raises(Overloaded), admission.admit(10):
        pass


def test_clips_in_progress() -> None:
    """A clip in progress counts towards the limit, but is not in the queue."""
    admission = Admission(60)
    with admission.admit(20) as first, admission.admit(30) as second:
        assert 50 == admission.waiting_seconds()
        first.waits = False
        assert 30 == admission.waiting_seconds()
        assert 0 <= admission.age()
        second.waits = False
        assert 0 == admission.age()
        with pytest.raises(Overloaded), admission.admit(11):
            pass


def test_rejection() -> None:
    """An error is foretold if the lightest admitted clip would not fit a second time; the first clip always fits."""
    admission = Admission(70)
    assert admission.rejection() is None
    with admission.admit(30):
        assert admission.rejection() is None
        with admission.admit(30):
            assert isinstance(admission.rejection(), Overloaded)
    assert admission.rejection() is None
