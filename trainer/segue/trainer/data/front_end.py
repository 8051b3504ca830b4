"""The front end that segue-fast and the paper's networks share."""

from __future__ import annotations

from segue.core.features.config import FeatureConfig

# Window-relative decibels on the paper's mel bands; docs/adr/0011 explains the floor.
FRONT_END = FeatureConfig()

MAX_WINDOWS = 10
"""Largest number of windows that a network takes of one clip."""
