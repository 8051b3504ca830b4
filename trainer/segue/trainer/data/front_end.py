"""The front end that segue-fast and the paper's networks share."""

from __future__ import annotations

from segue.core.features.config import FeatureConfig

# Window-relative decibels on the paper's mel bands; docs/adr/0011 explains the floor.
FRONT_END = FeatureConfig()

CLIP_COLUMNS = 387
"""Number of columns of the shortest of GTZAN's clips, which last 30 s."""


def windows_in_clip(columns: int) -> int:
    """Returns the largest number of windows that a network gets of one clip: as many as fill 30 s.

    Args:
        columns: number of columns in a window, at least 1.
    """
    return max(1, round(CLIP_COLUMNS / columns))
