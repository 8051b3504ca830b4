"""The front end that all networks trained on log-mel share."""

from __future__ import annotations

from segue.core.features.config import FeatureConfig

# Window-relative decibels on the paper's mel bands; docs/adr says how the floor was chosen.
FRONT_END = FeatureConfig()

MAX_WINDOWS = 10
"""Largest number of windows that a network takes of one clip."""
