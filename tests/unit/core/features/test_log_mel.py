from __future__ import annotations

import librosa
import numpy as np
import pytest

from segue.core.features.config import ColumnGrid, FeatureConfig
from segue.core.features.log_mel import log_scale, mel_power, relative_decibels
from segue.core.testing.synthetic_clips import render_clip

MUSICNN = FeatureConfig(
    sample_rate=16_000,
    n_fft=512,
    hop=256,
    n_mels=96,
    fmax=8_000.0,
    scale="log10_10000",
    columns=187,
    grid=ColumnGrid(),
)


@pytest.mark.parametrize("config", [FeatureConfig(), MUSICNN], ids=["paper", "musicnn"])
def test_mel_power_equals_librosa(config: FeatureConfig) -> None:
    """Every frame equals librosa's mel spectrogram of the whole clip, for any settings."""
    samples = render_clip(3, 4.0, config.sample_rate)
    expected = librosa.feature.melspectrogram(
        y=samples, sr=config.sample_rate, n_fft=config.n_fft, hop_length=config.hop, n_mels=config.n_mels
    )
    actual = mel_power(samples, np.arange(expected.shape[1]), config)
    np.testing.assert_allclose(actual, expected, rtol=2e-3, atol=1e-6 * expected.max())


def test_decibels_do_not_depend_on_loudness() -> None:
    """A window at a tenth of the amplitude is the same: decibels are relative to the loudest cell of the window."""
    config = FeatureConfig()
    frames = config.grid.frames(0, config.columns)
    samples = render_clip(1, 3.0)
    loud, quiet = (log_scale(mel_power(gain * samples, frames, config), config) for gain in (1.0, 0.1))
    np.testing.assert_allclose(quiet, loud, atol=0.05)
    assert (0.0, config.floor_db) == (float(loud.max()), float(loud.min()))


def test_each_window_has_its_own_reference() -> None:
    """Decibels of a stack of windows are relative to the loudest cell of each."""
    stack = np.array([[[0.0, -10.0]], [[-30.0, -130.0]]], np.float32)
    expected = np.array([[[0.0, -10.0]], [[0.0, -60.0]]], np.float32)
    np.testing.assert_array_equal(relative_decibels(stack, -60.0), expected)
