from __future__ import annotations

import librosa
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

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
def test_mel_power_is_librosas(config: FeatureConfig) -> None:
    """Every frame equals librosa's own mel spectrogram of the whole clip, for any settings."""
    samples = render_clip(3, 4.0, config.sample_rate)
    expected = librosa.feature.melspectrogram(
        y=samples, sr=config.sample_rate, n_fft=config.n_fft, hop_length=config.hop, n_mels=config.n_mels
    )
    actual = mel_power(samples, np.arange(expected.shape[1]), config)
    np.testing.assert_allclose(actual, expected, rtol=2e-3, atol=1e-6 * expected.max())


def test_golden_fingerprint() -> None:
    """The fingerprint of the shipped front end never changes by accident: every index and artifact carries it."""
    assert "023e0d792e451720" == FeatureConfig().fingerprint


def test_fingerprint_stands_for_every_setting() -> None:
    """Two front ends that differ anywhere have two fingerprints."""
    changed = [FeatureConfig(hop=256), FeatureConfig(floor_db=-80.0), FeatureConfig(grid=ColumnGrid()), MUSICNN]
    assert 5 == len({FeatureConfig().fingerprint, *(config.fingerprint for config in changed)})


def test_settings_survive_json() -> None:
    """What to_dict writes, from_dict reads."""
    assert FeatureConfig() == FeatureConfig.from_dict(FeatureConfig().to_dict())


@pytest.mark.parametrize(
    "changed",
    [
        {"hop": 0},
        {"hop": "512"},
        {"sample_rate": True},
        {"fmax": 12_000.0},
        {"fmin": -1.0},
        {"floor_db": 0.0},
        {"scale": "linear"},
        {"gain": 1},
        {"grid": 3},
        {"grid": {"step": 1}},
        {"grid": {"step": 1, "offset": 0, "divisor": 0}},
    ],
    ids=str,
)
def test_settings_that_cannot_be(changed: dict[str, object]) -> None:
    """No setting is guessed, left over, of another type, or out of its range."""
    with pytest.raises((TypeError, ValueError)):
        FeatureConfig.from_dict(FeatureConfig().to_dict() | changed)


def test_three_seconds_are_one_window() -> None:
    """Exactly 3 s of audio hold exactly one window of 39 columns."""
    assert FeatureConfig().columns == FeatureConfig().column_count(3 * 22_050)


def test_grid_is_the_archives() -> None:
    """Column c of the grid is the frame that the archive of 1,293-frame clips stores as column c."""
    columns = np.arange(387)
    expected = ((2 * columns + 1) * 1_293 - 1) // 775
    np.testing.assert_array_equal(FeatureConfig().grid.frames(0, 387), expected)


@given(
    st.builds(ColumnGrid, st.integers(1, 5_000), st.integers(0, 5_000), st.integers(1, 1_000)), st.integers(0, 10_000)
)
def test_column_count_is_the_number_of_columns_that_fit(grid: ColumnGrid, frames: int) -> None:
    """Counting columns one by one gives the same as the formula."""
    columns = grid.columns(frames)
    assert columns == 0 or grid.frame(columns - 1) < frames
    assert grid.frame(columns) >= frames


def test_decibels_do_not_depend_on_loudness() -> None:
    """A window ten times quieter looks the same: decibels are relative to the window's own loudest cell."""
    config = FeatureConfig()
    frames = config.grid.frames(0, config.columns)
    samples = render_clip(1, 3.0)
    loud, quiet = (log_scale(mel_power(gain * samples, frames, config), config) for gain in (1.0, 0.1))
    np.testing.assert_allclose(quiet, loud, atol=0.05)
    assert (0.0, config.floor_db) == (float(loud.max()), float(loud.min()))


def test_relative_decibels_per_window() -> None:
    """Each window of a stack has its own reference."""
    stack = np.array([[[0.0, -10.0]], [[-30.0, -130.0]]], np.float32)
    expected = np.array([[[0.0, -10.0]], [[0.0, -60.0]]], np.float32)
    np.testing.assert_array_equal(relative_decibels(stack, -60.0), expected)
