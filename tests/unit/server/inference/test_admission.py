from __future__ import annotations

import pytest

from segue.core.errors import Overloaded
from segue.server.inference.admission import Admission, weight


@pytest.mark.parametrize(
    ("size", "seconds", "expected"),
    [
        (1_300_000, 30.0, 30.0),
        (100_000, 3.0, 10.0),  # a short piece has its fixed costs
        (2_000_000, 3600.0, 60.0),  # of a long one only a minute is decoded
        (16 * 2**20, 0.0, 60.0),  # a header that lies does not make bytes lighter
    ],
)
def test_weight(size: int, seconds: float, expected: float) -> None:
    """A piece weighs as it plays, within what it costs at least and at most."""
    assert expected == weight(size, seconds)


def test_more_than_fits() -> None:
    """What does not fit beside the others is refused, and taken once they are gone."""
    admission = Admission(60)
    rejection = (admission.admit(30), admission.admit(30))
    with rejection[0], rejection[1], pytest.raises(Overloaded, match="60 s of audio"), admission.admit(10):
        pass
    with admission.admit(60):
        assert 60 == admission.waiting_seconds()
    assert 0 == admission.waiting_seconds()


def test_a_lone_piece() -> None:
    """A piece that alone is more than may wait is taken on when nothing else is there."""
    admission = Admission(10)
    with admission.admit(60), pytest.raises(Overloaded), admission.admit(10):
        pass


def test_who_waits() -> None:
    """What somebody has begun with is still counted, but does not wait."""
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


def test_full() -> None:
    """Who is like those that are here knows beforehand that there is no room; who comes first is always taken on."""
    admission = Admission(70)
    assert admission.rejection() is None
    with admission.admit(30):
        assert admission.rejection() is None
        with admission.admit(30):
            assert isinstance(admission.rejection(), Overloaded)
    assert admission.rejection() is None
