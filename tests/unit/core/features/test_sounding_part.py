from __future__ import annotations

import numpy as np
import pytest

from segue.core.audio.quality import SignalMeter, SourceInfo
from segue.core.audio.samples import Samples
from segue.core.audio.sources import ArraySource
from segue.core.features.config import FeatureConfig
from segue.core.features.extract import extract
from segue.core.features.sounding_part import sounding_part
from segue.core.features.windows import Windows
from segue.core.testing.synthetic_clips import render_clip
from tests.helpers.audio import encode

RATE = 22_050
CONFIG = FeatureConfig(trim_db=-60.0)


def silence(seconds: float) -> Samples:
    """Returns samples of silence."""
    return np.zeros(int(seconds * RATE), np.float32)


def windows_between(before: float, samples: Samples, after: float) -> Windows:
    """Returns the windows of a clip with seconds of silence before and after it."""
    return extract(encode(np.concatenate([silence(before), samples, silence(after)])), CONFIG, 10).windows


@pytest.mark.parametrize(("before", "after"), [(0.4, 0.0), (3.0, 0.0), (0.0, 3.0), (1.2, 2.5)])
@pytest.mark.parametrize("seconds", [12.0, 61.0])
def test_silence_around_a_track_does_not_move_its_windows(seconds: float, before: float, after: float) -> None:
    """A copy with some lead-in has the same windows, and they begin later by the lead-in; likewise in a long track."""
    clip = render_clip(0, seconds)
    clip[0] = 0.5
    expected, actual = windows_between(0, clip, 0), windows_between(before, clip, after)
    np.testing.assert_allclose(actual.values, expected.values, atol=0.2)
    np.testing.assert_allclose(actual.starts, expected.starts + before, atol=1e-3)


def test_a_front_end_that_leaves_nothing_out() -> None:
    """Without the setting, the first window begins with the first sample."""
    audio = encode(np.concatenate([silence(1), render_clip(0, 9.0)]))
    first, later = (extract(audio, config, 10).windows.starts[0] for config in (FeatureConfig(), CONFIG))
    assert pytest.approx([0, 1], abs=0.03) == [first, later]


def test_a_short_sound_in_a_long_silence() -> None:
    """At least one window is left, and it contains the sound."""
    windows = windows_between(4, render_clip(0, 0.5), 4)
    assert 1 == len(windows.values)
    assert 1 < windows.starts[0] < 4.1


def test_a_short_sound_at_the_end() -> None:
    """The window ends with the track."""
    windows = windows_between(5, render_clip(0, 0.5), 0)
    assert pytest.approx(2.5, abs=0.2) == windows.starts[0]


def test_a_long_lead_in() -> None:
    """Only so much is searched, since it is decoded for this alone."""
    track = ArraySource(np.concatenate([silence(20), render_clip(0, 20.0)]), 40.0, SourceInfo(RATE, SignalMeter()))
    assert 5 * RATE == sounding_part(track, CONFIG).start


def test_long_silence_at_both_ends() -> None:
    """As much is left out at each end as if only that end were silent."""
    samples = np.concatenate([silence(6), render_clip(0, 9.0), silence(7)])
    part = sounding_part(ArraySource(samples, 22.0, SourceInfo(RATE, SignalMeter())), CONFIG)
    assert (5 * RATE, 12 * RATE) == (part.start, part.samples)


def test_reading_beyond_the_part() -> None:
    """Samples before and after the part are 0, even if the track has quiet ones there."""
    samples = np.concatenate([np.full(RATE, 1e-5), render_clip(0, 9.0), np.full(RATE, 1e-5)]).astype(np.float32)
    part = sounding_part(ArraySource(samples, 11.0, SourceInfo(RATE, SignalMeter())), CONFIG)
    around = part.read(-100, part.samples + 100)
    assert part.samples + 200 == len(around)
    assert 0 == np.abs(around[:100]).max() == np.abs(around[-100:]).max()
    np.testing.assert_array_equal(samples[part.start : part.start + part.samples], around[100:-100])


@pytest.mark.parametrize("gain", [1.0, 0.03])
def test_the_part_does_not_depend_on_the_level(gain: float) -> None:
    """A fade-in begins at the same place in a quiet copy."""
    faded = render_clip(0, 12.0) * np.linspace(0, 1, 12 * RATE, dtype=np.float32) ** 3
    info = SourceInfo(RATE, SignalMeter())
    loud, quiet = (sounding_part(ArraySource(faded * factor, 12.0, info), CONFIG) for factor in (1.0, gain))
    assert pytest.approx(loud.start, abs=2) == quiet.start
    assert 0 < loud.start < 3 * RATE
