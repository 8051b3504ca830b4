from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.core.audio.quality import SignalMeter, SourceInfo
from segue.core.audio.samples import Samples
from segue.core.audio.sources import ArraySource
from segue.core.errors import AudioSilent, AudioTooShort
from segue.core.features.config import FeatureConfig
from segue.core.features.window_features import extract_windows
from segue.core.features.windows import spread_starts
from segue.core.testing.synthetic_clips import render_clip

CONFIG = FeatureConfig()


def source(samples: Samples) -> ArraySource:
    """Returns a track with these samples."""
    return ArraySource(samples, len(samples) / CONFIG.sample_rate, SourceInfo(CONFIG.sample_rate, SignalMeter()))


def test_a_clip_has_ten_windows() -> None:
    """A clip of 30 s is divided into 10 windows of 3 s, as in the paper, in the order of time."""
    windows = extract_windows(source(render_clip(0, 30.0)), CONFIG, 10)
    assert (10, 128, 39) == windows.values.shape
    np.testing.assert_allclose(np.diff(windows.starts), 3.0, atol=0.08)


def test_windows_of_a_long_track() -> None:
    """A long track has as many windows as a clip, spread over all of it but its intro and ending."""
    windows = extract_windows(source(render_clip(0, 300.0)), CONFIG, 10)
    np.testing.assert_allclose(np.linspace(12, 285, 10), windows.starts, atol=0.1)


@given(st.integers(39, 100_000), st.integers(1, 20))
def test_windows_are_inside_the_track(columns: int, max_windows: int) -> None:
    """No window begins before the track or ends after it, and all are different."""
    starts = spread_starts(columns, 39, max_windows)
    assert 0 <= starts[0]
    assert starts[-1] + 39 <= columns
    assert len(set(starts.tolist())) == len(starts) <= max_windows


def test_a_window_does_not_depend_on_the_rest() -> None:
    """The audio after a window, and its loudness, does not change the window."""
    quiet = render_clip(2, 12.0)
    loud_end = quiet.copy()
    loud_end[8 * 22_050 :] *= 20
    first, second = (extract_windows(source(samples), CONFIG, 4).values[0] for samples in (quiet, loud_end))
    np.testing.assert_array_equal(second, first)


def test_too_short() -> None:
    """The error has the duration of the clip and the least duration."""
    with pytest.raises(AudioTooShort, match=r"0\.50 s; at least 3 s"):
        extract_windows(source(render_clip(0, 0.5)), CONFIG, 10)


def test_silence() -> None:
    """A clip with only silent windows is refused."""
    with pytest.raises(AudioSilent):
        extract_windows(source(np.zeros(22_050 * 5, np.float32)), CONFIG, 10)


def test_a_constant_offset() -> None:
    """A constant other than zero is as silent as zero."""
    with pytest.raises(AudioSilent):
        extract_windows(source(np.full(22_050 * 5, 0.5, np.float32)), CONFIG, 10)


def test_silent_windows_are_left_out() -> None:
    """A clip that is partly silent has only the windows of the rest."""
    samples = render_clip(0, 30.0)
    samples[: 10 * 22_050] = 0
    windows = extract_windows(source(samples), CONFIG, 10)
    assert (7, 3) == (len(windows.values), windows.silent)
    assert windows.starts[0] > 8
