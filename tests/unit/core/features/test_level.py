from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from segue.core.errors import AudioSilent
from segue.core.features.config import FeatureConfig
from segue.core.features.extract import extract
from segue.core.features.extract_partial import extract_partial
from segue.core.features.level import Loudness
from segue.core.testing.synthetic_clips import render_clip
from tests.helpers.audio import encode

LEVELLED = FeatureConfig(scale="log10_10000", level_dbfs=-17.0)
AS_IT_IS = replace(LEVELLED, level_dbfs=None)


def windows_at(gain_db: float, config: FeatureConfig = LEVELLED) -> NDArray[np.float32]:
    """Returns the windows of a clip that is played back ``gain_db`` louder."""
    return extract(encode(render_clip(0, 12.0) * 10 ** (gain_db / 20), subtype="FLOAT"), config, 4).windows.values


@pytest.mark.parametrize("gain_db", [-50.0, -30.0, -6.0, 6.0, 40.0])
def test_the_level_of_the_recording_does_not_matter(gain_db: float) -> None:
    """A clip has the same windows at any level."""
    np.testing.assert_allclose(windows_at(gain_db), windows_at(0), atol=1e-3)


def test_a_front_end_without_a_level() -> None:
    """Its windows depend on how loud a clip is."""
    assert np.abs(windows_at(-20, AS_IT_IS) - windows_at(0, AS_IT_IS)).max() > 1


def test_the_level_is_that_of_the_clip() -> None:
    """A quiet passage stays quieter than a loud one, by the same factor."""
    samples = render_clip(0, 6.2)
    samples[: len(samples) // 2] *= 0.1
    first, second = extract(encode(samples, subtype="FLOAT"), LEVELLED, 2).windows.values
    assert pytest.approx(100, rel=0.3) == (10**second - 1).sum() / (10**first - 1).sum()


def test_the_level_of_a_window() -> None:
    """A clip of one window has the level of the front end."""
    loudness = Loudness.of([0.05], LEVELLED)
    assert pytest.approx(10 ** (-17 / 20)) == 0.05 * loudness.gain(LEVELLED)


def test_silent_windows_do_not_count() -> None:
    """Silence between the windows does not make a clip quieter."""
    assert Loudness.of([0.1, 0.2], LEVELLED) == Loudness.of([0.1, 0.0, 0.2, 1e-4], LEVELLED)


@pytest.mark.parametrize("rms", [(3e-3, 0.1), (0.1, 3e-3), (1e-4, 0.01), (0.01, 1e-4)])
def test_the_order_of_the_windows_does_not_matter(rms: tuple[float, float]) -> None:
    """A quiet introduction counts as much as a quiet ending, at any level of the recording."""
    assert 2 == Loudness.of(rms, LEVELLED).windows


def test_a_quiet_introduction_in_a_quiet_copy() -> None:
    """A clip with a quiet introduction has the same level as its quiet copy."""
    samples = render_clip(0, 9.2)
    samples[: len(samples) // 3] *= 0.01
    loud, quiet = (extract(encode(samples * gain, subtype="FLOAT"), LEVELLED, 3).windows for gain in (1.0, 0.02))
    np.testing.assert_allclose(quiet.values, loud.values, atol=1e-3)


def test_silence_of_a_front_end_without_a_level() -> None:
    """It leaves out what is below -72 dBFS, however quiet the rest is: artifacts that exist rely on it."""
    samples = render_clip(0, 9.2) * 0.1
    samples[: len(samples) // 3] *= 0.005
    audio = encode(samples, subtype="FLOAT")
    assert 1 == extract(audio, AS_IT_IS, 3).windows.silent
    arriving = extract_partial(audio, AS_IT_IS, 0, 3, ended=True)
    assert [True, False, False] == [window is None for window in arriving.windows]


def test_a_quiet_copy_keeps_its_quiet_windows() -> None:
    """A passage 40 dB below the rest is no silence, at any level of the recording."""
    samples = render_clip(0, 9.2)
    samples[: len(samples) // 3] *= 0.01
    for gain in (1.0, 0.02):
        clip = extract(encode(samples * gain, subtype="FLOAT"), LEVELLED, 3).windows
        assert (3, 0) == (len(clip.values), clip.silent), gain


@pytest.mark.parametrize("gain", [4.0, 1.0, 0.1])
@pytest.mark.parametrize(("quieter_db", "silent"), [(50, 0), (60, 1)])
def test_copies_have_the_same_silent_windows(gain: float, quieter_db: float, silent: int) -> None:
    """The distance from the loudest window decides which windows are silent, whatever the level of the recording."""
    noise = np.random.default_rng(0).normal(0, 0.1, 22_050 * 9).astype(np.float32)
    noise[: 22_050 * 3] *= 10 ** (-quieter_db / 20)
    assert silent == extract(encode(noise * gain, subtype="FLOAT"), LEVELLED, 3).windows.silent


def test_silence_stays_silent() -> None:
    """The noise of a silent clip is not amplified."""
    noise = np.random.default_rng(0).normal(0, 1e-4, 22_050 * 5).astype(np.float32)
    with pytest.raises(AudioSilent):
        extract(encode(noise, subtype="FLOAT"), LEVELLED, 4)


def test_a_stream_is_levelled_by_what_has_come() -> None:
    """The first window of a stream has the level of its own, and later ones that of all before them."""
    audio = encode(np.concatenate([render_clip(0, 3.1) * 0.1, render_clip(0, 6.5)]), subtype="FLOAT")
    at_once = extract_partial(audio, LEVELLED, 0, 3, ended=True)
    first = extract_partial(audio, LEVELLED, 0, 1, ended=True)
    rest = extract_partial(audio, LEVELLED, 1, 2, ended=True, before=first.loudness)
    alone = extract(encode(render_clip(0, 3.1), subtype="FLOAT"), LEVELLED, 1).windows
    assert at_once.loudness == rest.loudness
    windows = [window.values[0] for window in (*first.windows, *rest.windows) if window]
    np.testing.assert_array_equal([window.values[0] for window in at_once.windows if window], windows)
    np.testing.assert_allclose(windows[0], alone.values[0], atol=0.02)
