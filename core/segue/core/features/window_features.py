"""Computes the log-mel windows of a track."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segue.core.audio.samples import SampleSource
from segue.core.audio.sources import AudioSource
from segue.core.errors import AudioSilent, AudioTooShort
from segue.core.features.config import FeatureConfig
from segue.core.features.level import Loudness, is_silent
from segue.core.features.log_mel import log_scale, mel_power
from segue.core.features.sounding_part import sounding_part
from segue.core.features.windows import Windows, spread_starts


@dataclass(frozen=True)
class WindowPower:
    """A window before it is brought to the level of its clip and to the network's scale.

    Attributes:
        power: mel power [bands, columns], 0 or above.
        rms: RMS of its samples without their mean, full scale 1.0.
    """

    power: NDArray[np.float32]
    rms: float

    def scaled(self, gain: float, config: FeatureConfig) -> NDArray[np.float32]:
        """Returns its log-mel [bands, columns] for samples that are ``gain`` times as loud."""
        return log_scale(self.power * np.float32(gain**2), config)


def extract_windows(source: AudioSource, config: FeatureConfig, max_windows: int) -> Windows:
    """Extracts the windows of a track, and reads only the samples that they need.

    Args:
        source: the track, at ``config.sample_rate``.
        config: settings of the front end.
        max_windows: greatest number of windows, at least 1.

    Raises:
        AudioTooShort: the track is shorter than one window.
        AudioSilent: no window is louder than ``segue.core.features.level.SILENCE_RMS``.
    """
    part = sounding_part(source, config)
    columns = config.column_count(part.samples)
    if columns < config.columns:
        seconds = source.samples / config.sample_rate
        raise AudioTooShort(
            f"The audio lasts {seconds:.2f} s; at least {config.window_seconds:g} s are needed. Send a longer clip.",
            least_seconds=config.window_seconds,
            actual_seconds=round(seconds, 2),
        )
    firsts = spread_starts(columns, config.columns, max_windows)
    starts = np.array([part.start + config.grid.frame(int(first)) * config.hop for first in firsts])
    windows = [window_power(part, config, int(first)) for first in firsts]
    # A network that takes one window of any track does not make a long track short.
    short = len(spread_starts(columns, config.columns, 2)) == 1
    return _levelled(windows, starts / config.sample_rate, config, short=short)


def _levelled(
    windows: list[WindowPower], starts: NDArray[np.float64], config: FeatureConfig, *, short: bool
) -> Windows:
    """Brings the windows of a clip to its level, and leaves out silent ones."""
    loudness = Loudness.of([window.rms for window in windows], config)
    audible = [index for index, window in enumerate(windows) if not is_silent(window.rms, loudness.loudest, config)]
    if not audible:
        raise AudioSilent("The audio is silent: every window is below -72 dBFS. Send a louder recording.")
    gain = loudness.gain(config)
    return Windows(
        values=np.stack([windows[index].scaled(gain, config) for index in audible]),
        starts=starts[audible],
        silent=len(windows) - len(audible),
        short=short,
    )


def window_power(source: SampleSource, config: FeatureConfig, column: int) -> WindowPower:
    """Computes the mel power and the loudness of the window that starts at ``column``."""
    frames = config.grid.frames(column, config.columns)
    # A margin of one frame's length on both sides makes the frames at the edges equal to those of the whole track.
    margin = -(-config.n_fft // config.hop)
    first, last = int(frames[0]), int(frames[-1])
    first_read = max(0, first - margin)
    samples = source.read(first_read * config.hop, (last + margin) * config.hop)
    inside = samples[(first - first_read) * config.hop : (last - first_read) * config.hop]
    # The deviation, not the power: a constant offset is silent.
    return WindowPower(mel_power(samples, frames - first_read, config), float(inside.std()))
