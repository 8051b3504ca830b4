"""Chooses the windows of a track and computes their log-mel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segue.core.audio.sources import SampleSource
from segue.core.errors import AudioSilent, AudioTooShort
from segue.core.features.config import FeatureConfig
from segue.core.features.log_mel import log_scale, mel_power

# 8 steps of 16-bit audio: less than the noise of any recording, more than dither.
SILENCE_RMS = 2.5e-4


@dataclass(frozen=True)
class Windows:
    """The windows of one track.

    Attributes:
        values: log-mel [w, bands, columns] on the network's scale, in the order of time, without silent windows.
        starts: start of each window [w] in seconds from the start of the track.
        silent: number of silent windows, which were left out.
    """

    values: NDArray[np.float32]
    starts: NDArray[np.float64]
    silent: int = 0


def spread_starts(columns: int, width: int, max_windows: int) -> NDArray[np.int64]:
    """Returns the first columns of the windows: as many as fit without overlap, up to a maximum, spread evenly.

    In a clip of 30 s they reach from the start to the end. The intro and the ending of a long track are less typical of
    it. So half of the first and half of the last of ``count`` equal shares, less one window, are left out.

    Args:
        columns: number of columns in the track, at least ``width``.
        width: number of columns in a window.
        max_windows: greatest number of windows, at least 1.

    Returns:
        First columns [w], ascending. A clip of 30 s has 387 or 388 columns, and so 10 windows of 39.
    """
    # Rounded to the nearest: 387 columns are 9.92 windows, and the paper divides a clip into 10.
    count = min(max_windows, max(1, (2 * columns + width) // (2 * width)))
    margin = max(0.0, columns / (2 * count) - width)
    return np.round(np.linspace(margin, columns - width - margin, count)).astype(np.int64)


def extract_windows(source: SampleSource, config: FeatureConfig, max_windows: int) -> Windows:
    """Extracts the windows of a track, and reads only the samples that they need.

    Args:
        source: the track, at ``config.sample_rate``.
        config: settings of the front end.
        max_windows: greatest number of windows, at least 1.

    Raises:
        AudioTooShort: the track is shorter than one window.
        AudioSilent: no window is louder than ``SILENCE_RMS``.
    """
    columns = config.column_count(source.samples)
    if columns < config.columns:
        seconds = source.samples / config.sample_rate
        raise AudioTooShort(
            f"The audio lasts {seconds:.2f} s; at least {config.window_seconds:g} s are needed. Send a longer clip.",
            least_seconds=config.window_seconds,
            actual_seconds=round(seconds, 2),
        )
    starts = spread_starts(columns, config.columns, max_windows)
    values = [window_at(source, config, int(start)) for start in starts]
    audible = [index for index, value in enumerate(values) if value is not None]
    if not audible:
        raise AudioSilent("The audio is silent: every window is below -72 dBFS. Send a louder recording.")
    seconds_per_frame = config.hop / config.sample_rate
    return Windows(
        values=np.stack([value for value in values if value is not None]),
        starts=np.array([config.grid.frame(int(starts[i])) * seconds_per_frame for i in audible]),
        silent=len(starts) - len(audible),
    )


def window_at(source: SampleSource, config: FeatureConfig, column: int) -> NDArray[np.float32] | None:
    """Computes the log-mel of the window that starts at ``column``, or returns None if it is silent."""
    frames = config.grid.frames(column, config.columns)
    # A margin of one frame's length on both sides makes the frames at the edges equal to those of the whole track.
    margin = -(-config.n_fft // config.hop)
    first, last = int(frames[0]), int(frames[-1])
    first_read = max(0, first - margin)
    samples = source.read(first_read * config.hop, (last + margin) * config.hop)
    inside = samples[(first - first_read) * config.hop : (last - first_read) * config.hop]
    # The deviation, not the power: a constant offset is silent.
    if inside.std() < SILENCE_RMS:
        return None
    return log_scale(mel_power(samples, frames - first_read, config), config)
