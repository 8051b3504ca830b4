from __future__ import annotations

import json

import numpy as np
import pytest

from segue.trainer.accurate.cross_validation import TagArrays
from segue.trainer.accurate.figures import novelty_figures

NAME = "auroc_held_out_genre"


@pytest.mark.parametrize(
    ("artists", "names"),
    [(6, {NAME, f"{NAME}_low", f"{NAME}_high"}), (2, {NAME})],
    ids=["artists enough", "a genre of two artists"],
)
def test_an_interval_that_cannot_be_measured_is_left_out(artists: int, names: set[str]) -> None:
    """Draws may lack a genre of two artists, and a manifest with NaN is not JSON."""
    means = np.random.default_rng(0).random((18, 50)).astype(np.float32)
    groups = np.array([f"artist {row if row < 12 else 12 + row % artists}" for row in range(18)])
    arrays = TagArrays(np.repeat([0, 1, 2], 6), groups, means[:, None], np.ones((18, 1), bool), means, means)
    figures = novelty_figures(arrays, ("a", "b", "c"), 0)
    assert names == set(figures)
    assert figures == json.loads(json.dumps(figures, allow_nan=False))
