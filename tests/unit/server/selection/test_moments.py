"""The moments of two tracks that sound most alike."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.core.catalogue.window_embeddings import WindowEmbeddings
from segue.server.selection.moments import MAX_MOMENTS, find_moments


def windows(count: int, width: int, rng: np.random.Generator) -> WindowEmbeddings:
    """Random windows, 3 s after each other."""
    values = rng.normal(size=(count, width)).astype(np.float32)
    return WindowEmbeddings(
        np.linspace(0, 3 * (count - 1), count), values / np.linalg.norm(values, axis=1, keepdims=True)
    )


@given(seed=st.integers(0, 10**6), counts=st.tuples(st.integers(1, 12), st.integers(1, 12)))
def test_the_best_pairs(seed: int, counts: tuple[int, int]) -> None:
    """Each pair is the best of the windows that no pair before has, as a plain search finds."""
    rng = np.random.default_rng(seed)
    one, other = (windows(count, 8, rng) for count in counts)
    found = find_moments(one, other)
    assert min(MAX_MOMENTS, *counts) == len(found)
    rows, columns = set(range(counts[0])), set(range(counts[1]))
    for moment in found:
        row, column = int(moment.seed_start / 3), int(moment.start / 3)
        best = max(float(one.values[i] @ other.values[j]) for i in rows for j in columns)
        assert pytest.approx(best, abs=1e-6) == moment.similarity
        rows.remove(row)
        columns.remove(column)


def test_equal_pairs() -> None:
    """Of equal pairs, the earlier windows come first, and a similarity is at most 1."""
    same = WindowEmbeddings(np.array([0.0, 3.0, 6.0]), np.tile(np.array([0.6, 0.8], np.float32), (3, 1)))
    assert [(0.0, 0.0), (3.0, 3.0), (6.0, 6.0)] == [moment[:2] for moment in find_moments(same, same)]
    assert all(moment.similarity <= 1 for moment in find_moments(same, same))


def test_nothing_to_compare() -> None:
    """A track without windows has no moments."""
    none = WindowEmbeddings(np.zeros(0), np.zeros((0, 2), np.float32))
    assert [] == find_moments(none, none)
