"""Which windows of a track are heard, and what the network sees of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segue.core.audio.sources import SampleSource
from segue.core.errors import AudioSilent, AudioTooShort
from segue.core.features.config import FeatureConfig
from segue.core.features.log_mel import log_scale, mel_power

# 8 steps of 16-bit audio: below the noise of any recording, above dither.
SILENCE_RMS = 2.5e-4


@dataclass(frozen=True)
class Windows:
    """What a network sees of one track.

    Attributes:
        values: [w, bands, columns] on the network's scale, in the order of time, without silent windows.
        starts: seconds [w] from the start of the track.
        silent: how many windows were silent, and are not among them.
    """

    values: NDArray[np.float32]
    starts: NDArray[np.float64]
    silent: int = 0


def spread_starts(columns: int, width: int, max_windows: int) -> NDArray[np.int64]:
    """The first columns of the windows: as many as fit side by side, at most ``most``, spread evenly.

    They reach from the start to the end of a clip of 30 s. A long track's intro and ending say little of it: half
    of its first and of its last share, less one window, are left out.

    Args:
        columns: columns in the track, at least ``width``.
        width: columns in a window.
        max_windows: largest number of windows, at least 1.

    Returns:
        First columns [w], ascending. A clip of 30 s has 387 or 388 columns, and 10 windows of 39.
    """
    # Rounded, not cut off: 387 columns are 9.92 windows, and the paper cuts a clip into 10.
    count = min(max_windows, max(1, (2 * columns + width) // (2 * width)))
    margin = max(0.0, columns / (2 * count) - width)
    return np.round(np.linspace(margin, columns - width - margin, count)).astype(np.int64)


def extract_windows(source: SampleSource, config: FeatureConfig, max_windows: int) -> Windows:
    """Reads the windows of a track, and no more of it than they need.

    Args:
        source: the track, at ``config.sample_rate``.
        config: the settings of the front end.
        max_windows: largest number of windows, at least 1.

    Raises:
        AudioTooShort: the track does not hold one window.
        AudioSilent: no window is louder than ``SILENCE_RMS``.
    """
    columns = config.column_count(source.samples)
    if columns < config.columns:
        seconds = source.samples / config.sample_rate
        raise AudioTooShort(
            f"The audio lasts {seconds:.2f} s; at least {config.window_seconds:g} s are needed.",
            least_seconds=config.window_seconds,
            actual_seconds=round(seconds, 2),
        )
    starts = spread_starts(columns, config.columns, max_windows)
    values = [window_at(source, config, int(start)) for start in starts]
    heard = [index for index, value in enumerate(values) if value is not None]
    if not heard:
        raise AudioSilent("Nothing can be heard: every part of the audio is below -72 dBFS. Send a louder recording.")
    seconds_per_frame = config.hop / config.sample_rate
    return Windows(
        values=np.stack([value for value in values if value is not None]),
        starts=np.array([config.grid.frame(int(starts[i])) * seconds_per_frame for i in heard]),
        silent=len(starts) - len(heard),
    )


def window_at(source: SampleSource, config: FeatureConfig, column: int) -> NDArray[np.float32] | None:
    """The window that starts at ``column`` on the network's scale, or None where it is silent."""
    frames = config.grid.frames(column, config.columns)
    # One frame's worth of neighbours on both sides, so that the frames at the edges are those of the whole track.
    margin = -(-config.n_fft // config.hop)
    first, last = int(frames[0]), int(frames[-1])
    origin = max(0, first - margin)
    samples = source.read(origin * config.hop, (last + margin) * config.hop)
    inside = samples[(first - origin) * config.hop : (last - origin) * config.hop]
    # The deviation, not the power: a constant offset is not heard.
    if inside.std() < SILENCE_RMS:
        return None
    return log_scale(mel_power(samples, frames - origin, config), config)
