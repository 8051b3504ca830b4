"""Hears a piece of music while it arrives: window by window, from what is there so far.

Nothing is kept from one call to the next: each opens the bytes anew and seeks to where the last one ended. So the work
can be done by whoever is free, in a process that may be killed, as with whole pieces.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from segue.core.audio.decode import open_arriving
from segue.core.audio.sources import ArraySource, Samples
from segue.core.errors import AudioUndecodable
from segue.core.features.config import FeatureConfig
from segue.core.features.windows import Windows, window_at


@dataclass(frozen=True)
class PartialWindows:
    """The windows of a piece that have arrived, side by side, without gaps.

    Attributes:
        starts: seconds [w] from the start of the piece.
        windows: each window as a piece of its own, None where it is silent; as many as ``starts``.
        seconds: how much of the piece can be decoded so far.
    """

    starts: tuple[float, ...]
    windows: tuple[Windows | None, ...]
    seconds: float


NOTHING = PartialWindows((), (), 0.0)


def extract_partial(
    audio: bytes, config: FeatureConfig, first: int, max_windows: int, *, ended: bool
) -> PartialWindows:
    """Makes the next windows of a piece of which only the start has arrived.

    Args:
        audio: the bytes that are there so far.
        config: the settings of the front end.
        first: the number of the first window that is wanted, from 0.
        max_windows: largest number of windows, at least 1.
        ended: whether no more bytes will come.

    Returns:
        ``NOTHING`` also where the bytes can never be decoded: it is the whole that is judged.
    """
    try:
        with open_arriving(audio, config.sample_rate) as source:
            return _windows(
                *source.arrived(*_span(config, first, max_windows)), config, first, max_windows, ended=ended
            )
    except AudioUndecodable:
        return NOTHING


def _windows(
    samples: ArraySource, offset: int, config: FeatureConfig, first: int, max_windows: int, *, ended: bool
) -> PartialWindows:
    end = offset + samples.samples
    starts: list[float] = []
    windows: list[Windows | None] = []
    for column in range(first * config.columns, (first + max_windows) * config.columns, config.columns):
        if end < _last_sample(config, column, ended=ended):
            break
        start = config.grid.frame(column) * config.hop / config.sample_rate
        value = window_at(_Later(samples, offset), config, column)
        starts.append(start)
        windows.append(None if value is None else Windows(value[np.newaxis], np.array([start])))
    return PartialWindows(tuple(starts), tuple(windows), end / config.sample_rate)


def _span(config: FeatureConfig, first: int, max_windows: int) -> tuple[int, int]:
    """The samples that windows need, [start, stop)."""
    columns = config.columns
    start = config.grid.frame(first * columns) * config.hop - config.n_fft
    return max(0, start), _last_sample(config, (first + max_windows - 1) * columns, ended=False)


def _last_sample(config: FeatureConfig, column: int, *, ended: bool) -> int:
    """How many samples must be there for the window at ``column``: its neighbours too, unless there are none."""
    inside = config.grid.frame(column + config.columns - 1) * config.hop
    return inside if ended else inside + config.n_fft


class _Later:
    """A track of which only the samples from ``offset`` on are at hand."""

    def __init__(self, samples: ArraySource, offset: int) -> None:
        self._samples = samples
        self._offset = offset

    @property
    def samples(self) -> int:
        return self._offset + self._samples.samples

    def read(self, start: int, stop: int) -> Samples:
        return self._samples.read(start - self._offset, stop - self._offset)
