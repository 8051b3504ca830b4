from __future__ import annotations

import numpy as np
import pytest

from segue.core.features.clips import PartialWindows
from segue.core.features.config import FeatureConfig
from segue.core.features.extract import extract
from segue.core.features.extract_partial import NOTHING, extract_partial
from segue.core.testing.synthetic_clips import render_clip
from tests.helpers.audio import encode

CONFIG = FeatureConfig()
KINDS = [("WAV", "PCM_16"), ("AU", "PCM_16"), ("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", None)]


def encoded_clip(seconds: float, container: str = "WAV", subtype: str | None = None, rate: int = 48_000) -> bytes:
    """Returns the bytes of a rendered clip."""
    return encode(render_clip(4, seconds, rate), rate, container, subtype)


def extract_share(audio: bytes, share: float, first: int = 0, *, ended: bool = False) -> PartialWindows:
    """Extracts the windows from a share of the bytes."""
    return extract_partial(audio[: int(len(audio) * share)], CONFIG, first, 10, ended=ended)


@pytest.mark.parametrize(("container", "subtype"), KINDS)
def test_windows_arrive_with_the_bytes(container: str, subtype: str | None) -> None:
    """Half of a file has about half of the windows, more of it has more, and all of it has all."""
    audio = encoded_clip(31.0, container, subtype)
    counts = [len(extract_share(audio, share).windows) for share in (0.001, 0.25, 0.5, 0.75, 1)]
    assert sorted(counts) == counts
    assert (0, 10) == (counts[0], counts[-1])
    assert all(abs(counts[quarter] - 2.5 * quarter) <= 1.5 for quarter in (1, 2, 3))


@pytest.mark.parametrize(("container", "subtype"), KINDS)
def test_partial_windows_equal_those_of_the_whole(container: str, subtype: str | None) -> None:
    """The mean difference between a window of a partial file and of the whole file is below 1 dB."""
    audio = encoded_clip(30.0, container, subtype)
    whole = extract(audio, CONFIG, 10).windows
    partial = extract_share(audio, 0.6, first=1)
    assert partial.windows
    for start, window in zip(partial.starts, partial.windows, strict=True):
        assert window is not None
        nearest = int(np.abs(whole.starts - start).argmin())
        if abs(whole.starts[nearest] - start) < 0.01:
            assert np.abs(whole.values[nearest] - window.values[0]).mean() < 1


def test_a_call_continues_the_last_one() -> None:
    """One window in each call or all at once: the windows are the same, each once."""
    audio = encoded_clip(13.0)
    at_once = extract_share(audio, 1)
    one_by_one = [extract_partial(audio, CONFIG, first, 1, ended=False) for first in range(5)]
    assert at_once.starts == tuple(start for partial in one_by_one for start in partial.starts)
    assert pytest.approx(13, abs=0.01) == at_once.seconds
    windows = [window for partial in one_by_one for window in partial.windows]
    for expected, actual in zip(at_once.windows, windows, strict=True):
        assert expected is not None
        assert actual is not None
        np.testing.assert_allclose(actual.values, expected.values, atol=0.2)


def test_the_end() -> None:
    """A window at the end of the clip is extracted only when the clip is known to have ended."""
    audio = encoded_clip(CONFIG.min_samples / CONFIG.sample_rate, rate=CONFIG.sample_rate)
    assert [0, 1] == [len(extract_share(audio, 1, ended=ended).windows) for ended in (False, True)]


def test_silence() -> None:
    """A silent window is None, and has a start."""
    samples = render_clip(0, 10.0)
    samples[: len(samples) // 2] = 0
    partial = extract_share(encode(samples), 1)
    assert [True, False] == [window is None for window in partial.windows][::2]
    assert len(partial.windows) == len(partial.starts)


@pytest.mark.parametrize("audio", [b"", b"R", b"This is not music. " * 100, b"OggS" + bytes(500)])
def test_undecodable_bytes(audio: bytes) -> None:
    """Bytes that are not audio, or not yet, have no windows."""
    assert NOTHING == extract_partial(audio, CONFIG, 0, 10, ended=True)


MP3_FRAMES = encoded_clip(20.0, "MP3")
JOINED_LATE = {
    "in the middle of a frame": MP3_FRAMES[5_000:],
    "behind zeros": bytes(1_000) + MP3_FRAMES,
    "behind text": b"Connected to the stream.\r\n" * 20 + MP3_FRAMES,
}


@pytest.mark.parametrize("name", JOINED_LATE)
def test_a_radio_stream(name: str) -> None:
    """A stream that does not begin with a frame has windows as it arrives."""
    assert len(extract_share(JOINED_LATE[name], 0.7).windows) in {3, 4}


def test_a_wav_whose_header_has_no_length() -> None:
    """A length of 0 means that it is unknown: there are windows as the samples arrive."""
    wav = encoded_clip(20.0)
    position = wav.index(b"data") + 4
    assert len(extract_share(wav[:position] + bytes(4) + wav[position + 4 :], 0.7).windows) in {3, 4}


def test_a_live_flac() -> None:
    """A FLAC without a length has windows as it arrives."""
    flac = encoded_clip(20.0, "FLAC")
    position = 21  # the low 4 bits of this byte and the next 4 bytes are the number of samples
    live = flac[:position] + bytes([flac[position] & 0xF0]) + bytes(4) + flac[position + 5 :]
    assert len(extract_share(live, 0.7).windows) in {3, 4}
