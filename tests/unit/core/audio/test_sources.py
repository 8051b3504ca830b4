from __future__ import annotations

import io
import tracemalloc

import numpy as np
import pytest
import soundfile
import soxr

from segue.core.audio.decode import read_audio
from segue.core.audio.quality import SignalMeter, SourceInfo
from segue.core.audio.sources import average_channels, mono_blocks, resample_blocks
from segue.core.features.config import FeatureConfig
from segue.core.features.window_features import extract_windows
from segue.core.testing.synthetic_clips import render_clip
from tests.helpers.audio import encode


@pytest.mark.parametrize("rate", [22_050, 44_100, 48_000])
@pytest.mark.parametrize("container", ["WAV", "FLAC"])
def test_parts_of_a_long_track(rate: int, container: str) -> None:
    """Seeking to the windows of a long track gives the same as decoding all of it."""
    content = encode(render_clip(6, 35.0, rate), rate, container)
    expected, actual = (
        read_audio(content, 22_050, lambda source: extract_windows(source, FeatureConfig(), 10).values, whole_seconds)
        for whole_seconds in (100, 30)
    )
    np.testing.assert_allclose(actual, expected, atol=0.2)


@pytest.mark.parametrize("rate", [11_025, 22_050, 48_000])
def test_blocks_have_no_seams(rate: int) -> None:
    """Averaging and resampling block by block gives the same as all at once, to the bit."""
    stereo = np.stack([render_clip(0, 5.0, rate), render_clip(1, 5.0, rate)], axis=1)
    expected = soxr.resample(stereo.mean(axis=1, dtype=np.float32), rate, 22_050, quality="HQ")
    info = SourceInfo(rate, SignalMeter())
    with soundfile.SoundFile(io.BytesIO(encode(stereo, rate, subtype="FLOAT"))) as file:
        blocks = mono_blocks(file, 0, file.frames, info.meter, block_samples=9_001)
        track = resample_blocks(blocks, info, 22_050, file.frames)
    np.testing.assert_array_equal(track.read(0, track.samples), expected)


@pytest.mark.parametrize("whole_seconds", [60, 0], ids=["whole", "in parts"])
def test_a_decompression_bomb(whole_seconds: float) -> None:
    """A small file that decodes to half a gigabyte needs memory only for the samples that are read."""
    second = np.zeros((655_350, 8), np.float32)
    second[::65_535] = 0.5
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", 655_350, 8, format="FLAC", subtype="PCM_16") as writer:
        for _ in range(6):  # 126 MB as float32
            writer.write(second)
    tracemalloc.start()
    try:
        read_audio(file.getvalue(), 22_050, lambda source: source.read(0, 66_150), whole_seconds)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 20 * 2**20


@pytest.mark.parametrize("channels", range(1, 9))
def test_the_mean_of_channels(channels: int) -> None:
    """It is NumPy's, bit for bit in stereo, and does not change with the block, which is read into again."""
    block = np.random.default_rng(channels).uniform(-1, 1, (4_096, channels)).astype(np.float32)
    expected, mono = block.mean(axis=1, dtype=np.float32), average_channels(block)
    block[:] = 0
    np.testing.assert_allclose(expected, mono, rtol=0, atol=0 if channels <= 2 else 1e-6)
    assert 0 == len(average_channels(block[:0]))
