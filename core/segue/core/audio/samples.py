"""The samples of a track, and the forms in which decoders return them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
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


@dataclass(frozen=True)
class DecodedStream:
    """A file that a decoder decodes from its start to its end, while it is read.

    Attributes:
        rate: sample rate of the file in Hz.
        channels: number of channels.
        blocks: samples [n, channels], full scale 1.0, in order. Raises DecoderFailed where the rest cannot be decoded.
        met_damage: returns, after the last block, whether the decoder left out damaged parts, as far as it says so.
        is_lossy: returns whether the file is lossy.
        low_bit_depth: True if it has fewer than 16 bits in a sample, as far as the decoder says so.
    """

    rate: int
    channels: int
    blocks: Iterator[Samples]
    met_damage: Callable[[], bool] = lambda: False
    is_lossy: Callable[[], bool] = lambda: False
    low_bit_depth: bool = False


class DecoderFailed(Exception):
    """A decoder cannot decode a file, or not all of it; another decoder may.

    Attributes:
        is_damaged: True if the decoder knows the format, and met damage.
    """

    def __init__(self, message: str, *, is_damaged: bool = False) -> None:
        super().__init__(message)
        self.is_damaged = is_damaged
