from __future__ import annotations

import pytest

from segue.core.errors import Overloaded
from segue.server.inference.admission import Admission, weight


@pytest.mark.parametrize(
    ("size", "work", "expected"),
    [
        (1_300_000, 30.0, 30.0),
        (100_000, 3.0, 10.0),  # the fixed cost of a short clip
        (15_000_000, 640.0, 600.0),  # an hour of AAC, which is decoded whole
        (16 * 2**20, 0.0, 60.0),  # a wrong header does not make bytes lighter
        (2**30, 60.0, 60.0),  # the bytes of a stream are on disk
    ],
)
def test_weight(size: int, work: float, expected: float) -> None:
    """The weight of a clip is the work for it, within the least and the most that a clip may weigh."""
    assert expected == weight(size, work)


def test_a_full_queue() -> None:
    """A clip that does not fit is rejected, and admitted once the others are done."""
    admission = Admission(60)
    admitted = (admission.admit("a", 30), admission.admit("b", 30))
    with admitted[0], admitted[1], pytest.raises(Overloaded, match="60 s of audio"), admission.admit("c", 10):
        pass
    with admission.admit("a", 60):
        assert 60 == admission.waiting_seconds()
    assert 0 == admission.waiting_seconds()


def test_the_share_of_a_caller() -> None:
    """A caller may have four times what stays free, so that there is space for another."""
    admission = Admission(100)
    shares = [admission.admit("a", 40), admission.admit("a", 40)]
    with shares[0], shares[1]:
        with pytest.raises(Overloaded, match="80 s of your audio"), admission.admit("a", 10):
            pass
        with admission.admit("b", 10), pytest.raises(Overloaded, match="10 s of your audio"), admission.admit("b", 10):
            pass
    with admission.admit("a", 80):
        pass


def test_a_single_clip() -> None:
    """A clip that is heavier than the limit is admitted while no other clip is."""
    admission = Admission(10)
    with admission.admit("a", 60), pytest.raises(Overloaded), admission.admit("b", 10):
        pass


def test_clips_in_progress() -> None:
    """A clip in progress counts towards the limit, but is not in the queue."""
    admission = Admission(60)
    with admission.admit("a", 20) as first, admission.admit("b", 30) as second:
        assert 50 == admission.waiting_seconds()
        first.waits = False
        assert 30 == admission.waiting_seconds()
        assert 0 <= admission.age()
        second.waits = False
        assert 0 == admission.age()
        with pytest.raises(Overloaded), admission.admit("c", 11):
            pass


def test_check() -> None:
    """An error is foretold if the lightest admitted clip would not fit a second time; the first clip always fits."""
    admission = Admission(70)
    admission.check("a")
    with admission.admit("a", 30):
        admission.check("b")
        with admission.admit("b", 30), pytest.raises(Overloaded):
            admission.check("c")
    admission.check("c")
