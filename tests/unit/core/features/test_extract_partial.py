from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile

from segue.core.features.config import FeatureConfig
from segue.core.features.extract import extract
from segue.core.features.extract_partial import NOTHING, PartialWindows, extract_partial
from segue.core.testing.synthetic_clips import render_clip

CONFIG = FeatureConfig()
KINDS = [("WAV", "PCM_16"), ("AU", "PCM_16"), ("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", None)]


def encoded(seconds: float, container: str = "WAV", subtype: str | None = None, rate: int = 48_000) -> bytes:
    """A rendered clip as the bytes of a file."""
    file = io.BytesIO()
    soundfile.write(file, render_clip(4, seconds, rate), rate, format=container, subtype=subtype)
    return file.getvalue()


def heard(content: bytes, share: float, first: int = 0, *, ended: bool = False) -> PartialWindows:
    """What is heard of the first part of a file."""
    return extract_partial(content[: int(len(content) * share)], CONFIG, first, 10, ended=ended)


@pytest.mark.parametrize(("container", "subtype"), KINDS)
def test_windows_come_as_the_bytes_do(container: str, subtype: str | None) -> None:
    """Of half a file about half the windows are heard, of more of it more, and of all of it all."""
    content = encoded(31.0, container, subtype)
    counts = [len(heard(content, share).windows) for share in (0.001, 0.25, 0.5, 0.75, 1)]
    assert sorted(counts) == counts
    assert (0, 10) == (counts[0], counts[-1])
    assert all(abs(counts[quarter] - 2.5 * quarter) <= 1.5 for quarter in (1, 2, 3))


@pytest.mark.parametrize(("container", "subtype"), KINDS)
def test_a_window_that_arrived_is_that_of_the_whole(container: str, subtype: str | None) -> None:
    """What is heard of a part of a file is what is heard of the whole, to a decibel on average."""
    content = encoded(30.0, container, subtype)
    whole = extract(content, CONFIG, 10).windows
    arrived = heard(content, 0.6, first=1)
    assert arrived.windows
    for start, window in zip(arrived.starts, arrived.windows, strict=True):
        assert window is not None
        nearest = int(np.abs(whole.starts - start).argmin())
        if abs(whole.starts[nearest] - start) < 0.01:
            assert np.abs(whole.values[nearest] - window.values[0]).mean() < 1


def test_where_the_last_call_ended() -> None:
    """Window by window or all at once, the same windows come, each once."""
    content = encoded(13.0)
    at_once = heard(content, 1)
    one_by_one = [extract_partial(content, CONFIG, first, 1, ended=False) for first in range(5)]
    assert at_once.starts == tuple(start for arrived in one_by_one for start in arrived.starts)
    assert pytest.approx(13, abs=0.01) == at_once.seconds
    for one, other in zip(at_once.windows, (window for a in one_by_one for window in a.windows), strict=True):
        assert one is not None
        assert other is not None
        np.testing.assert_allclose(one.values, other.values, atol=0.2)


def test_the_end() -> None:
    """A window that ends with the piece is heard when the piece is known to have ended."""
    content = encoded(CONFIG.min_samples / CONFIG.sample_rate, rate=CONFIG.sample_rate)
    assert [0, 1] == [len(heard(content, 1, ended=ended).windows) for ended in (False, True)]


def test_silence() -> None:
    """A silent window has its place and no content."""
    samples = render_clip(0, 10.0)
    samples[: len(samples) // 2] = 0
    file = io.BytesIO()
    soundfile.write(file, samples, 22_050, format="WAV")
    assert [True, False] == [window is None for window in heard(file.getvalue(), 1).windows][::2]


@pytest.mark.parametrize("content", [b"", b"R", b"This is not music. " * 100, b"OggS" + bytes(500)])
def test_nothing_yet(content: bytes) -> None:
    """Bytes that are no audio, or not yet, have no windows."""
    assert NOTHING == extract_partial(content, CONFIG, 0, 10, ended=True)
