"""Extracts the windows of a clip whose file is still arriving.

No state is kept between calls: each call opens the bytes again and seeks to the end of the last one. So any process can
do the work and may be killed, as with whole clips.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from segue.core.audio.decode import open_partial
from segue.core.audio.samples import Samples
from segue.core.audio.sources import ArraySource
from segue.core.errors import AudioUndecodable
from segue.core.features.clips import PartialWindows
from segue.core.features.config import FeatureConfig
from segue.core.features.level import Loudness, is_silent
from segue.core.features.window_features import WindowPower, window_power
from segue.core.features.windows import Windows

NOTHING = PartialWindows((), (), 0.0, Loudness())


def extract_partial(
    audio: Path | bytes,
    config: FeatureConfig,
    first: int,
    max_windows: int,
    *,
    ended: bool,
    before: Loudness = NOTHING.loudness,
) -> PartialWindows:
    """Extracts the next windows of a clip from the first bytes of its file.

    Each window is brought to the level of what has come up to its end: the level of the whole clip is not known yet.
    And the windows begin with the first sample, since the lead-in may be quiet music.

    Args:
        audio: the bytes that have arrived so far, or the file with them.
        config: settings of the front end.
        first: number of the first window, from 0.
        max_windows: greatest number of windows, at least 1.
        ended: True if no more bytes will arrive.
        before: loudness of the windows before the first.

    Returns:
        The windows, or none if the bytes cannot be decoded; only the whole file shows if they ever can.
    """
    try:
        with open_partial(audio, config.sample_rate) as source:
            samples, offset = source.read_available(*_span(config, first, max_windows))
            offset_source = _OffsetSource(samples, offset)
            return _windows(offset_source, config, range(first, first + max_windows), before, ended=ended)
    except AudioUndecodable:
        return replace(NOTHING, loudness=before)


def _windows(
    source: _OffsetSource, config: FeatureConfig, numbers: range, loudness: Loudness, *, ended: bool
) -> PartialWindows:
    starts: list[float] = []
    windows: list[Windows | None] = []
    for number in numbers:
        column = number * config.columns
        if source.samples < _samples_needed(config, column, ended=ended):
            break
        starts.append(config.grid.frame(column) * config.hop / config.sample_rate)
        window = window_power(source, config, column)
        loudness = loudness.with_window(window.rms, config)
        windows.append(_levelled_window(window, starts[-1], loudness, config))
    return PartialWindows(tuple(starts), tuple(windows), source.samples / config.sample_rate, loudness)


def _levelled_window(window: WindowPower, start: float, loudness: Loudness, config: FeatureConfig) -> Windows | None:
    """Brings a window to the level of its clip up to here; returns None if it is silent."""
    if is_silent(window.rms, loudness.loudest, config):
        return None
    return Windows(window.scaled(loudness.gain(config), config)[np.newaxis], np.array([start]))


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
