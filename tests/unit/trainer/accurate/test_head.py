from __future__ import annotations

import numpy as np

from segue.trainer.accurate.head import MIN_TAG, SERVED_WINDOWS, HeadPlan, logits_of
from segue.trainer.cli import options


def test_the_command_offers_the_windows_that_can_be_served() -> None:
    """The highest number of --windows, its default, is that of a plan."""
    assert options.SERVED_WINDOWS == SERVED_WINDOWS == HeadPlan().windows


def test_tags_at_the_ends_of_their_range_have_logits() -> None:
    """Tags of 0 and 1 are clipped, symmetrically."""
    logits = logits_of(np.array([0, MIN_TAG, 0.5, 1 - MIN_TAG, 1], np.float32))
    assert np.isfinite(logits).all()
    np.testing.assert_allclose([-6.907, -6.907, 0, 6.907, 6.907], logits, atol=1e-3)
