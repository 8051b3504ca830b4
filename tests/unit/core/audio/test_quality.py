from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from segue.core.audio.quality import CLIPPED_SHARE, Flag, Quality, SignalMeter
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


def without_length(flac: bytes) -> bytes:
    """Returns a FLAC file with a length of 0, as encoders write it to a pipe."""
    return flac[:21] + bytes([flac[21] & 0xF0]) + bytes(4) + flac[26:]


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


def test_a_network_of_one_window_makes_no_clip_short() -> None:
    """A clip is short if it has no room for a second window, however many the network takes."""
    long, short = (extract(encode(render_clip(0, seconds)), FeatureConfig(), 1).quality for seconds in (30.0, 3.5))
    assert ((), (Flag.SHORT,)) == (long.flags, short.flags)


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
    assert [False, True] == [Flag.TRUNCATED in found for found in flags]
    assert not {Flag.DAMAGED} & {flag for found in flags for flag in found}


QUIET = (render_clip(0, 30.0, 24_000) / 100).astype(np.float32)
FEW_BITS = {
    "WAV with 8 bits": (encode(render_clip(0, 30.0), subtype="PCM_U8"), (Flag.LOW_BIT_DEPTH,)),
    "AIFF with 8 bits": (encode(render_clip(0, 30.0), container="AIFF", subtype="PCM_S8"), (Flag.LOW_BIT_DEPTH,)),
    "FLAC with 8 bits": (encode(render_clip(0, 30.0), container="FLAC", subtype="PCM_S8"), (Flag.LOW_BIT_DEPTH,)),
    "A-law": (encode(render_clip(0, 30.0), subtype="ALAW"), (Flag.LOW_BIT_DEPTH,)),
    "mu-law": (encode(render_clip(0, 30.0), container="AU", subtype="ULAW"), (Flag.LOW_BIT_DEPTH,)),
    "ADPCM of 88 kbit/s": (encode(render_clip(0, 30.0), subtype="IMA_ADPCM"), ()),
    "ADPCM of 32 kbit/s": (
        encode(render_clip(0, 30.0, 8_000), 8_000, subtype="IMA_ADPCM"),
        (Flag.LOW_RATE, Flag.LOW_BITRATE),
    ),
    "FLAC of less than 64 kbit/s": (encode(QUIET, 24_000, "FLAC", "PCM_16"), ()),
    "the same in 8 bits, from a pipe": (
        without_length(encode(render_clip(0, 30.0), container="FLAC", subtype="PCM_S8")),
        (Flag.LOW_BIT_DEPTH,),
    ),
}


@pytest.mark.parametrize("name", FEW_BITS)
def test_few_bits(name: str) -> None:
    """Audio with few bits in a sample, or lossy audio with a low bit rate, is flagged."""
    audio, flags = FEW_BITS[name]
    assert flags == quality_of(audio).flags
    assert len(encode(QUIET, 24_000, "FLAC", "PCM_16")) * 8 / 30 < 64_000


@needs_ffmpeg
@pytest.mark.parametrize(
    ("name", "options", "is_flagged"),
    [
        ("clip.mp3", ("-b:a", "64k"), False),
        ("clip.mp3", ("-b:a", "56k"), True),
        ("clip.mp3", ("-b:a", "56k", "-write_xing", "0"), True),
        ("clip.opus", ("-b:a", "96k"), False),
        ("clip.opus", ("-b:a", "24k"), True),
        ("clip.m4a", ("-b:a", "96k"), False),
        ("clip.m4a", ("-b:a", "40k"), True),
        ("clip.mka", ("-c:a", "libopus", "-b:a", "24k"), True),
        ("clip.spx", ("-ar", "32000"), True),
    ],
)
def test_the_bit_rate(name: str, options: tuple[str, ...], is_flagged: bool, tmp_path: Path) -> None:
    """A low bit rate is flagged in every lossy format, whichever decoder decodes it."""
    path = encode_by_ffmpeg(render_clip(0, 30.0, 24_000), 24_000, tmp_path / name, *options)
    assert is_flagged == (Flag.LOW_BITRATE in quality_of(path.read_bytes()).flags)


@needs_ffmpeg
@pytest.mark.parametrize("codec", ["alac", "tta", "wavpack", "flac"])
def test_lossless_audio_has_any_bit_rate(codec: str, tmp_path: Path) -> None:
    """Quiet music in a lossless format that ffmpeg decodes is not flagged."""
    name = "clip.m4a" if codec == "alac" else "clip.mka"
    path = encode_by_ffmpeg(np.pad(QUIET, (0, len(QUIET))), 24_000, tmp_path / name, "-c:a", codec)
    assert path.stat().st_size * 8 / 60 < 64_000
    assert Flag.LOW_BITRATE not in quality_of(path.read_bytes()).flags


@needs_ffmpeg
@pytest.mark.parametrize("suffix", ["mp3", "m4a"])
def test_a_cover_is_not_audio(suffix: str, tmp_path: Path) -> None:
    """A large cover does not hide a low bit rate."""
    options = ("-metadata", "comment=" + "x" * 100_000, "-b:a", "40k")
    path = encode_by_ffmpeg(render_clip(0, 10.0, 24_000), 24_000, tmp_path / f"clip.{suffix}", *options)
    assert path.stat().st_size * 8 / 10 > 64_000
    assert (Flag.LOW_BITRATE,) == quality_of(path.read_bytes()).flags


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


@pytest.mark.parametrize("channels", [1, 2])
def test_a_click_in_silence(channels: int) -> None:
    """A single sample at full scale is no clipping, wherever it is."""
    block = np.zeros((8_000, channels), np.float32)
    block[3] = 1
    meter = SignalMeter()
    meter.add(block, block[:, 0])
    assert meter.clipped < CLIPPED_SHARE


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
