from __future__ import annotations

import itertools

import pytest

from segue.core.batching import batched


@pytest.mark.parametrize(
    ("count", "expected"), [(0, []), (2, [[0, 1]]), (4, [[0, 1, 2], [3]]), (6, [[0, 1, 2], [3, 4, 5]])]
)
def test_items_are_batched_in_order(count: int, expected: list[list[int]]) -> None:
    """Every batch but the last is full, and no item is lost."""
    assert expected == list(batched(range(count), 3))


def test_nothing_is_read_ahead() -> None:
    """An endless stream is read one batch at a time."""
    counter = itertools.count()
    assert [0, 1, 2] == next(batched(counter, 3))
    assert 3 == next(counter)
