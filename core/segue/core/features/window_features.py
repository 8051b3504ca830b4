"""Computes the log-mel windows of a track."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from segue.core.audio.samples import SampleSource
from segue.core.errors import AudioSilent, AudioTooShort
from segue.core.features.config import FeatureConfig
from segue.core.features.log_mel import log_scale, mel_power
from segue.core.features.windows import Windows, spread_starts

# 8 steps of 16-bit audio: less than the noise of any recording, more than dither.
SILENCE_RMS = 2.5e-4


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
