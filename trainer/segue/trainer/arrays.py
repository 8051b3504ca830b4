"""Types of the arrays that the trainer passes around."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
"""Features, tags, posteriors and embeddings."""

AnyFloats = NDArray[np.floating[Any]]
"""Floats of any width, where figures are computed."""

Positions = NDArray[np.integer[Any]]
"""Genres as positions among the labels, or rows of tracks."""

Fold = tuple[Positions, Positions]
"""The rows to train on, and the rows that are held out."""
