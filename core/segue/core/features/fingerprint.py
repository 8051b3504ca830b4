"""Fingerprints by which copies of a recording are recognized, whatever their format, level and lead-in.

A bit says whether the difference between two neighbouring mel bands grows or falls, as in Haitsma and Kalker, "A Highly
Robust Audio Fingerprinting System" (2002). The bits come from the windows of the network, so they cost no decoding.
"""

from __future__ import annotations

import base64
import binascii
import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segue.core.features.config import FeatureConfig
from segue.core.features.windows import Windows

Words = NDArray[np.uint32]

MAX_WINDOWS = 5
"""Greatest number of windows in a fingerprint, spread over the track."""

# Seconds between two words, over which bands are smoothed, and between the values that a bit compares.
_STEP, _SMOOTHED, _COMPARED = 0.1, 0.25, 0.3
_LEAST_STEP = 1e-3
_BITS = 32
# The lowest bands are rumble, and formats leave out the highest ones: bit 0 compares bands n / 16 and n / 16 + 1.
_LOWEST_SHARE = 16
# Where nearly all bits are equal, the sound hardly changes, as in a tone or in noise from a formula.
_LEAST_CHANGE = 0.1
_VERSION = 1
_HEAD = struct.Struct("<BBBff")


@dataclass(frozen=True)
class Fingerprint:
    """The fingerprint of a track.

    Attributes:
        words: words [w, t] of bits; those of silent windows are left out.
        step: seconds between two words.
        seconds: time from the first window to the last.
    """

    words: Words
    step: float
    seconds: float

    def to_text(self) -> str:
        """Encodes the fingerprint as ASCII, 0.7 to 0.9 kB for five windows of 3 s."""
        head = _HEAD.pack(_VERSION, *self.words.shape, self.step, self.seconds)
        return base64.b64encode(head + self.words.astype("<u4").tobytes()).decode("ascii")

    @classmethod
    def from_text(cls, text: str) -> Fingerprint | None:
        """Decodes what ``to_text`` returned; None for any other text, as of another version."""
        try:
            raw = base64.b64decode(text, validate=True)
            version, windows, times, step, seconds = _HEAD.unpack_from(raw)
        except (binascii.Error, ValueError, struct.error):
            return None
        words = np.frombuffer(raw, np.uint8, offset=_HEAD.size)
        is_sound = version == _VERSION and 0 < windows <= MAX_WINDOWS and times > 0 and _LEAST_STEP <= step < np.inf
        if not is_sound or len(words) != 4 * windows * times:
            return None
        return cls(words.view("<u4").astype(np.uint32).reshape(windows, times), step, seconds)


def fingerprint(windows: Windows, config: FeatureConfig) -> Fingerprint | None:
    """Computes the fingerprint of a track.

    Args:
        windows: its windows.
        config: settings of the front end.

    Returns:
        The fingerprint, or None if the sound hardly changes, or if the front end has too few bands or columns.
    """
    chosen = windows.values[:: -(-len(windows.values) // MAX_WINDOWS)]
    bits = _bits(chosen, config)
    if bits is None or not _LEAST_CHANGE <= float(bits.mean()) <= 1 - _LEAST_CHANGE:
        return None
    words = np.packbits(bits, axis=-1, bitorder="little").view("<u4")[..., 0]
    step = _columns(_STEP, config) / _columns_per_second(config)
    return Fingerprint(words.astype(np.uint32), step, float(windows.starts[-1] - windows.starts[0]))


def _bits(values: NDArray[np.float32], config: FeatureConfig) -> NDArray[np.bool_] | None:
    """Returns the bits [w, t, 32] of windows [w, bands, columns]."""
    lowest = config.n_mels // _LOWEST_SHARE
    step, smoothed = _columns(_STEP, config), _columns(_SMOOTHED, config)
    compared = max(1, round(_COMPARED * _columns_per_second(config) / step))
    bands = values[:, lowest : lowest + _BITS + 1].astype(np.float64)
    if bands.shape[1] <= _BITS or bands.shape[2] <= smoothed + compared * step:
        return None
    sums = np.cumsum(np.pad(bands, ((0, 0), (0, 0), (1, 0))), axis=2)
    smooth = (sums[..., smoothed:] - sums[..., :-smoothed])[..., ::step]
    slopes = np.diff(smooth, axis=1)
    return np.ascontiguousarray((slopes[..., compared:] > slopes[..., :-compared]).transpose(0, 2, 1))


def _columns_per_second(config: FeatureConfig) -> float:
    return config.sample_rate / config.hop * config.grid.divisor / config.grid.step


def _columns(seconds: float, config: FeatureConfig) -> int:
    """Returns the number of columns in some seconds, at least 1."""
    return max(1, round(seconds * _columns_per_second(config)))
