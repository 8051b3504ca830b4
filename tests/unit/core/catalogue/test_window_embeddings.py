"""The packed embeddings of windows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.core.catalogue.window_embeddings import MAX_WINDOWS, WindowEmbeddings, pack_windows, unpack_windows


def invented(count: int, width: int, seed: int = 0) -> WindowEmbeddings:
    """Random windows at random times."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(count, width)).astype(np.float32)
    starts = np.sort(rng.uniform(0, 4 * 3600, count))
    return WindowEmbeddings(starts, values / np.linalg.norm(values, axis=1, keepdims=True))


@given(count=st.integers(1, MAX_WINDOWS), width=st.integers(1, 300), seed=st.integers(0, 2**32 - 1))
def test_windows_come_back(count: int, width: int, seed: int) -> None:
    """Starts come back to a hundredth of a second, cosines to a hundredth; packing again changes nothing."""
    windows = invented(count, width, seed)
    packed = pack_windows(windows)
    assert 2 + count * (4 + width) == len(packed)
    found = unpack_windows(packed, width)
    np.testing.assert_allclose(found.starts, windows.starts, atol=0.0051)
    np.testing.assert_allclose((found.values * windows.values).sum(1), 1, atol=0.001)
    np.testing.assert_allclose(found.values @ found.values.T, windows.values @ windows.values.T, atol=0.02)
    assert packed == pack_windows(found)


def test_too_many_windows() -> None:
    """Only the first ones are kept."""
    assert MAX_WINDOWS == len(unpack_windows(pack_windows(invented(MAX_WINDOWS + 9, 4))).starts)


GOOD = pack_windows(invented(3, 8))


@pytest.mark.parametrize(
    "packed",
    [b"", b"\1", b"\1\3", GOOD[:-1], GOOD + b"x", b"\2" + GOOD[1:], b"\1\0" + GOOD[2:], b"\1\xff" * 400, bytes(40)],
)
def test_damaged_windows(packed: bytes) -> None:
    """Bytes that were not packed so are refused."""
    with pytest.raises(ValueError, match="windows"):
        unpack_windows(packed, 8)


def test_another_width() -> None:
    """Windows of another width are refused, and windows without a direction."""
    with pytest.raises(ValueError, match="cannot be read"):
        unpack_windows(GOOD, 9)
    with pytest.raises(ValueError, match="no direction"):
        unpack_windows(GOOD[:-8] + bytes(8), 8)


@given(packed=st.binary(max_size=200))
def test_random_bytes(packed: bytes) -> None:
    """Random bytes are windows or a ValueError, and never anything else."""
    try:
        found = unpack_windows(packed)
    except ValueError:
        return
    assert len(found.starts) == len(found.values)
    assert np.isfinite(found.values).all()
