from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.core.audio.quality import SignalMeter, SourceInfo
from segue.core.audio.sources import ArraySource, Samples
from segue.core.errors import AudioSilent, AudioTooShort
from segue.core.features.config import FeatureConfig
from segue.core.features.windows import extract_windows, spread_starts
from segue.core.testing.synthetic_clips import render_clip

CONFIG = FeatureConfig()


def source(samples: Samples) -> ArraySource:
    """A track of these samples."""
    return ArraySource(samples, len(samples) / CONFIG.sample_rate, SourceInfo(CONFIG.sample_rate, SignalMeter()))


def test_a_clip_has_ten_windows() -> None:
    """30 s are cut into the paper's 10 parts of 3 s, in the order of time."""
    windows = extract_windows(source(render_clip(0, 30.0)), CONFIG, 10)
    assert (10, 128, 39) == windows.values.shape
    np.testing.assert_allclose(np.diff(windows.starts), 3.0, atol=0.08)


def test_a_long_track_is_heard_over_its_whole_length() -> None:
    """The windows of a long track are spread over all of it but its intro and ending, as many as of a clip."""
    windows = extract_windows(source(render_clip(0, 300.0)), CONFIG, 10)
    np.testing.assert_allclose(np.linspace(12, 285, 10), windows.starts, atol=0.1)


@given(st.integers(39, 100_000), st.integers(1, 20))
def test_windows_stay_inside_the_track(columns: int, most: int) -> None:
    """No window begins before the track or ends behind it, and none stands twice."""
    starts = spread_starts(columns, 39, most)
    assert 0 <= starts[0]
    assert starts[-1] + 39 <= columns
    assert len(set(starts.tolist())) == len(starts) <= most


def test_a_window_never_looks_outside_itself() -> None:
    """What follows a window, and how loud it is, does not change the window."""
    quiet = render_clip(2, 12.0)
    loud_end = quiet.copy()
    loud_end[8 * 22_050 :] *= 20
    first, second = (extract_windows(source(samples), CONFIG, 4).values[0] for samples in (quiet, loud_end))
    np.testing.assert_array_equal(second, first)


def test_too_short() -> None:
    """Less than one window is refused, with the length that was found and the length that is needed."""
    with pytest.raises(AudioTooShort, match=r"0\.50 s; at least 3 s"):
        extract_windows(source(render_clip(0, 0.5)), CONFIG, 10)


def test_silence() -> None:
    """A piece in which nothing can be heard is refused."""
    with pytest.raises(AudioSilent):
        extract_windows(source(np.zeros(22_050 * 5, np.float32)), CONFIG, 10)


def test_an_offset_is_not_heard() -> None:
    """A constant that is not zero is as silent as zero."""
    with pytest.raises(AudioSilent):
        extract_windows(source(np.full(22_050 * 5, 0.5, np.float32)), CONFIG, 10)


def test_silent_windows_are_left_out() -> None:
    """Of a piece that is silent for a while, only the rest is heard."""
    samples = render_clip(0, 30.0)
    samples[: 10 * 22_050] = 0
    windows = extract_windows(source(samples), CONFIG, 10)
    assert (7, 3) == (len(windows.values), windows.silent)
    assert windows.starts[0] > 8
