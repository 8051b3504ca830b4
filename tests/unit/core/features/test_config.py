from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.core.features.config import ColumnGrid, FeatureConfig


def test_golden_fingerprint() -> None:
    """The fingerprint of the default front end never changes by accident: every index and artifact has it."""
    assert "023e0d792e451720" == FeatureConfig().fingerprint


def test_every_setting_is_in_the_fingerprint() -> None:
    """Front ends that differ in any setting have different fingerprints."""
    changed = [
        FeatureConfig(hop=256),
        FeatureConfig(floor_db=-80.0),
        FeatureConfig(grid=ColumnGrid()),
        FeatureConfig(scale="log10_10000"),
        FeatureConfig(level_dbfs=-17.0),
        FeatureConfig(trim_db=-60.0),
    ]
    assert 7 == len({FeatureConfig().fingerprint, *(config.fingerprint for config in changed)})


@pytest.mark.parametrize("config", [FeatureConfig(), FeatureConfig(level_dbfs=-17.0, trim_db=-60.0)])
def test_settings_survive_json(config: FeatureConfig) -> None:
    """``from_dict`` reads what ``to_dict`` returns."""
    assert config == FeatureConfig.from_dict(config.to_dict())


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
        {"level_dbfs": 1.0},
        {"level_dbfs": -17},
        {"level_dbfs": float("nan")},
        {"trim_db": float("-inf")},
        {"trim_db": 3.0},
        {"gain": 1},
        {"grid": 3},
        {"grid": {"step": 1}},
        {"grid": {"step": 1, "offset": 0, "divisor": 0}},
    ],
    ids=str,
)
def test_invalid_settings(changed: dict[str, object]) -> None:
    """A setting that is missing, unknown, of the wrong type or out of range is an error."""
    with pytest.raises((TypeError, ValueError)):
        FeatureConfig.from_dict(FeatureConfig().to_dict() | changed)


def test_three_seconds_are_one_window() -> None:
    """Exactly 3 s of audio have exactly one window of 39 columns."""
    assert FeatureConfig().columns == FeatureConfig().column_count(3 * 22_050)


def test_the_grid_of_the_archive() -> None:
    """Column c of the grid is the frame that the archive of clips with 1,293 frames stores as column c."""
    columns = np.arange(387)
    expected = ((2 * columns + 1) * 1_293 - 1) // 775
    np.testing.assert_array_equal(FeatureConfig().grid.frames(0, 387), expected)


@given(
    st.builds(ColumnGrid, st.integers(1, 5_000), st.integers(0, 5_000), st.integers(1, 1_000)), st.integers(0, 10_000)
)
def test_the_number_of_columns(grid: ColumnGrid, frames: int) -> None:
    """The last column is within the frames, and the next one is not."""
    columns = grid.columns(frames)
    assert columns == 0 or grid.frame(columns - 1) < frames
    assert grid.frame(columns) >= frames
