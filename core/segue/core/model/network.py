"""The networks of an artifact, as an engine runs them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

MAX_BATCH = 16
"""Largest number of clips that are decided at once."""

Shape = tuple[int | None, ...]
"""The sizes of an array; None for one that the network leaves open."""

Shapes = Mapping[str, Mapping[str, Shape]]
"""The shapes of inputs and outputs, by their name, of ``encode`` and of ``decide``."""


class Network(Protocol):
    """The encoder and the decider of an artifact. Several threads may call its methods at once."""

    @property
    def engine(self) -> str:
        """Name of the engine that runs it."""

    @property
    def encoded_clips(self) -> int:
        """Number of clips whose windows are encoded at once."""

    @property
    def warm_up_sizes(self) -> tuple[int, ...]:
        """Numbers of clips whose first batch is slow, in ascending order."""

    @property
    def shapes(self) -> Shapes:
        """Shapes of its inputs and outputs."""

    def encode(self, windows: Floats) -> Floats:
        """Computes the features [n, d] of windows [n, bands, columns], at least one."""

    def decide(self, features: Floats, mask: NDArray[np.bool_]) -> Mapping[str, Floats]:
        """Computes the outputs of clips, by name, from features [clips, w, d] and the mask [clips, w] of windows."""
