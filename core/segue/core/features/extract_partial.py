"""Extracts the windows of a clip whose file is still arriving.

No state is kept between calls: each call opens the bytes again and seeks to the end of the last one. So any process can
do the work and may be killed, as with whole clips.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from segue.core.audio.decode import open_partial
from segue.core.audio.samples import Samples
from segue.core.audio.sources import ArraySource
from segue.core.errors import AudioUndecodable
from segue.core.features.clips import PartialWindows
from segue.core.features.config import FeatureConfig
from segue.core.features.window_features import window_at
from segue.core.features.windows import Windows

NOTHING = PartialWindows((), (), 0.0)


def extract_partial(
    audio: Path | bytes, config: FeatureConfig, first: int, max_windows: int, *, ended: bool
) -> PartialWindows:
    """Extracts the next windows of a clip from the first bytes of its file.

    Args:
        audio: the bytes that have arrived so far, or the file with them.
        config: settings of the front end.
        first: number of the first window, from 0.
        max_windows: greatest number of windows, at least 1.
        ended: True if no more bytes will arrive.

    Returns:
        The windows, or ``NOTHING`` if the bytes cannot be decoded; only the whole file shows if they ever can.
    """
    try:
        with open_partial(audio, config.sample_rate) as source:
            samples, offset = source.read_available(*_span(config, first, max_windows))
            return _windows(_OffsetSource(samples, offset), config, first, max_windows, ended=ended)
    except AudioUndecodable:
        return NOTHING


def _windows(
    source: _OffsetSource, config: FeatureConfig, first: int, max_windows: int, *, ended: bool
) -> PartialWindows:
    starts: list[float] = []
    windows: list[Windows | None] = []
    for column in range(first * config.columns, (first + max_windows) * config.columns, config.columns):
        if source.samples < _samples_needed(config, column, ended=ended):
            break
        start = config.grid.frame(column) * config.hop / config.sample_rate
        value = window_at(source, config, column)
        starts.append(start)
        windows.append(None if value is None else Windows(value[np.newaxis], np.array([start])))
    return PartialWindows(tuple(starts), tuple(windows), source.samples / config.sample_rate)


def _span(config: FeatureConfig, first: int, max_windows: int) -> tuple[int, int]:
    """Returns the range of samples that the windows need, [start, stop)."""
    columns = config.columns
    start = config.grid.frame(first * columns) * config.hop - config.n_fft
    return max(0, start), _samples_needed(config, (first + max_windows - 1) * columns, ended=False)


def _samples_needed(config: FeatureConfig, column: int, *, ended: bool) -> int:
    """Returns the number of samples up to the end of the window at ``column``, with a margin unless the clip ended."""
    inside = config.grid.frame(column + config.columns - 1) * config.hop
    return inside if ended else inside + config.n_fft


class _OffsetSource:
    """A track with samples from ``offset`` on only."""

    def __init__(self, samples: ArraySource, offset: int) -> None:
        self._samples = samples
        self._offset = offset

    @property
    def samples(self) -> int:
        return self._offset + self._samples.samples

    def read(self, start: int, stop: int) -> Samples:
        return self._samples.read(start - self._offset, stop - self._offset)
