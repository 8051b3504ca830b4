"""The samples of a track, and the protocol of everything that reads them."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
"""Mono samples [n], full scale 1.0."""


class SampleSource(Protocol):
    """A track that can be read in parts."""

    @property
    def samples(self) -> int:
        """The number of samples in the track, at the model's rate."""
        ...

    def read(self, start: int, stop: int) -> Samples:
        """Returns the mono samples [stop - start]; outside the track they are 0."""
        ...
