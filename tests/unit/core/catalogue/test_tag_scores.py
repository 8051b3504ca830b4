from __future__ import annotations

import numpy as np
import pytest

from segue.core.catalogue.tag_scores import is_packed, pack_tag_scores, unpack_tag_scores

NAMES = tuple(f"tag {number}" for number in range(50))
SCORES = np.random.default_rng(3).random(50).astype(np.float32)


def test_scores_come_back() -> None:
    """Each score comes back to half a step of 255, in its place."""
    packed = pack_tag_scores(SCORES, NAMES)
    assert 72 == len(packed)
    assert NAMES == tuple(unpack_tag_scores(packed, NAMES))
    np.testing.assert_allclose([*unpack_tag_scores(packed, NAMES).values()], SCORES, atol=0.5 / 255 + 1e-6)


def test_the_ends_of_the_range() -> None:
    """0 and 1 come back exactly, and rounding errors beyond them become them."""
    scores = np.array([-1e-6, 0.0, 1.0, 1.000001], np.float32)
    assert [0.0, 0.0, 1.0, 1.0] == [*unpack_tag_scores(pack_tag_scores(scores, NAMES[:4]), NAMES[:4]).values()]


def test_other_names() -> None:
    """Scores never get the names of another model, not even as many or the same in another order."""
    packed = pack_tag_scores(SCORES, NAMES)
    for other in ((), NAMES[:-1], NAMES[::-1], ("x", *NAMES[1:])):
        assert {} == unpack_tag_scores(packed, other)


def test_no_tags() -> None:
    """A model that does not tag has the empty text, which has no scores."""
    assert "" == pack_tag_scores(np.zeros(0, np.float32), ())
    assert {} == unpack_tag_scores("", NAMES)
    assert is_packed("")


@pytest.mark.parametrize("text", ["a b", "AAAA=", "AAAAAA==", "AAA", "\N{SNOWMAN}AAA", "AAAAAAA\n"])
def test_other_texts(text: str) -> None:
    """A text that has no base64, or no scores, is not a packed one."""
    assert not is_packed(text)
    assert is_packed(pack_tag_scores(SCORES[:1], NAMES[:1]))
