"""Finds where the sound of a track begins and ends, so that silence around it does not move the windows."""

from __future__ import annotations

import numpy as np

from segue.core.audio.samples import Samples, SampleSource
from segue.core.audio.sources import AudioSource
from segue.core.features.config import FeatureConfig

# Longer silence is rare, and in a long track these samples are decoded only for this.
_SEARCHED_SECONDS = 5
# Far below one step of any recording.
_LEAST_MAGNITUDE = 1e-30


class SoundingPart:
    """The part of a track from its first to its last sample that is not silent.

    Attributes:
        start: position of its first sample in the track.
        samples: number of its samples.
    """

    def __init__(self, source: SampleSource, start: int, stop: int) -> None:
        self._source = source
        self.start = start
        self.samples = stop - start

    def read(self, first: int, stop: int) -> Samples:
        """Returns the mono samples [stop - first]; outside the part they are 0."""
        inside_first, inside_stop = max(0, first), max(0, min(stop, self.samples))
        inside = self._source.read(self.start + inside_first, self.start + max(inside_first, inside_stop))
        return np.pad(inside, (inside_first - first, stop - first - (inside_first - first) - len(inside)))


def sounding_part(source: AudioSource, config: FeatureConfig) -> SoundingPart:
    """Returns the part of a track that is left when its lead-in and its trailing silence are removed.

    It has at least the samples of one window, if the track has them. A track that cannot seek is left whole.

    Args:
        source: the track, at ``config.sample_rate``.
        config: settings of the front end, which say what counts as silence.
    """
    length = source.samples
    if config.trim_db is None or not source.can_seek:
        return SoundingPart(source, 0, length)
    searched = min(length, _SEARCHED_SECONDS * config.sample_rate)
    head, tail = np.abs(source.read(0, searched)), np.abs(source.read(length - searched, length))
    peak = max(head.max(initial=0), tail.max(initial=0))
    # Not even a sample of 0 would be below 0.
    least = max(float(peak) * 10 ** (config.trim_db / 20), _LEAST_MAGNITUDE)
    start = _first_above(head, least)
    stop = length - _first_above(tail[::-1], least)
    # A margin beyond one window, so that rounding to columns leaves one.
    return SoundingPart(source, *_widen(start, stop, config.min_samples + config.hop, length))


def _first_above(magnitudes: Samples, least: float) -> int:
    """Returns the position of the first magnitude of at least ``least``, or their number."""
    above = magnitudes >= least
    return int(above.argmax()) if above.any() else len(magnitudes)


def _widen(start: int, stop: int, least: int, length: int) -> tuple[int, int]:
    """Returns a range that holds [start, stop), has ``least`` samples if possible, and lies in [0, length)."""
    start = max(0, min(start, length - least))
    return start, min(length, max(stop, start + least))
