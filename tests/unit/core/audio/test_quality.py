from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from segue.core.audio.quality import Flag, Quality, SignalMeter
from segue.core.audio.samples import Samples
from segue.core.errors import AudioSilent
from segue.core.features.config import FeatureConfig
from segue.core.features.extract import extract
from segue.core.testing.synthetic_clips import render_clip
from tests.helpers.audio import encode, encode_by_ffmpeg, needs_ffmpeg

RATE = 22_050


def quality_of(audio: bytes) -> Quality:
    """Returns the quality of a clip."""
    return extract(audio, FeatureConfig(), 10).quality


def overdriven(seconds: float, rate: int = RATE) -> Samples:
    """Returns a rendered clip that is four times too loud."""
    clip = render_clip(3, seconds, rate)
    clipped: Samples = np.clip(clip * np.float32(4 / np.abs(clip).max()), -1, 1)
    return clipped


def mostly_silent(seconds: float) -> Samples:
    """Returns a rendered clip with only the last third audible."""
    clip = render_clip(2, seconds)
    clip[: int(len(clip) / 1.5)] = 0
    return clip


CLIPS = {
    "without fault": (encode(render_clip(0, 30.0)), ()),
    "one window": (encode(render_clip(0, 3.5)), (Flag.SHORT,)),
    "too loud": (encode(overdriven(30.0)), (Flag.CLIPPED,)),
    "too loud, in floats": (encode(overdriven(30.0), subtype="FLOAT"), (Flag.CLIPPED,)),
    "too loud, in 24 bits": (encode(overdriven(30.0), subtype="PCM_24", container="FLAC"), (Flag.CLIPPED,)),
    "too loud, read in parts": (
        encode(overdriven(90.0, 8_000), 8_000),
        (Flag.CLIPPED, Flag.LOW_RATE),
    ),
    "mostly silent": (encode(mostly_silent(30.0)), (Flag.MOSTLY_SILENT,)),
    "a higher rate": (encode(render_clip(0, 30.0, 44_100), 44_100), ()),
    "a lower rate": (encode(render_clip(0, 30.0, 16_000), 16_000), (Flag.LOW_RATE,)),
}


@pytest.mark.parametrize("name", CLIPS)
def test_flags(name: str) -> None:
    """Each fault of the signal has its flag, and a signal without fault has none."""
    audio, flags = CLIPS[name]
    assert flags == quality_of(audio).flags


@pytest.mark.parametrize(("container", "subtype"), [("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", None)])
def test_a_truncated_file_is_flagged(container: str, subtype: str | None) -> None:
    """The rest of a file that was cut off is used, and flagged; a whole file is not."""
    whole = encode(render_clip(1, 20.0, 48_000), 48_000, container, subtype)
    flags = [quality_of(audio).flags for audio in (whole, whole[: len(whole) // 2])]
    assert [(), (Flag.TRUNCATED,)] == flags


@needs_ffmpeg
def test_clipping_in_a_file_for_ffmpeg(tmp_path: Path) -> None:
    """The samples that ffmpeg decodes are measured, too."""
    mkv = encode_by_ffmpeg(overdriven(30.0), 22_050, tmp_path / "clip.mkv", "-c:a", "flac")
    assert (Flag.CLIPPED,) == quality_of(mkv.read_bytes()).flags


def test_the_share_of_clipped_samples() -> None:
    """Each sample of each channel at full scale counts once, positive or negative."""
    block = np.zeros((1_000, 2))
    block[:10, 0], block[5:15, 1] = 1, -1
    meter = SignalMeter()
    meter.add(block.astype(np.float32), np.zeros(1_000, np.float32))
    assert 0.01 == meter.clipped


def test_channels_that_cancel_out() -> None:
    """A clip whose right channel is the inverse of the left is silent when averaged; the error says why."""
    clip = render_clip(0, 5.0)
    with pytest.raises(AudioSilent, match="cancel each other out"):
        quality_of(encode(np.stack([clip, -clip], axis=1), subtype="FLOAT"))


def surround(left: Samples, right: Samples, first: int = 0) -> bytes:
    """Returns a file of eight channels, which are silent but for two."""
    channels = np.zeros((len(left), 8), np.float32)
    channels[:, first], channels[:, first + 1] = left, right
    return encode(channels, subtype="FLOAT")


def test_channels_that_cancel_out_next_to_silent_ones() -> None:
    """The error says why the average is silent, whichever channels have the music."""
    clip = render_clip(0, 5.0)
    for first in (0, 4):
        with pytest.raises(AudioSilent, match="cancel each other out"):
            quality_of(surround(clip, -clip, first))


def test_stereo_in_a_file_of_eight_channels() -> None:
    """Silent channels hide no clipping, and are no flaw of their own."""
    clip, loud = render_clip(0, 30.0), overdriven(30.0)
    flags = [quality_of(surround(samples, samples, first=2)).flags for samples in (clip, loud)]
    assert [(), (Flag.CLIPPED,)] == flags
    assert pytest.approx(quality_of(encode(loud)).clipped, rel=0.01) == quality_of(surround(loud, loud)).clipped


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("value", [0, 0.25], ids=["zero", "offset"])
def test_silence(channels: int, value: float) -> None:
    """Zeros in every channel are silence, not channels that cancel out, and so is a constant offset."""
    with pytest.raises(AudioSilent, match="The audio is silent"):
        quality_of(encode(np.full((5 * RATE, channels), value, np.float32), subtype="FLOAT"))
