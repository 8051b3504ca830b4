from __future__ import annotations

import io
import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from segue.core.audio.quality import Flag, Quality, SignalMeter
from segue.core.audio.sniff import ends_early
from segue.core.audio.sources import Samples
from segue.core.errors import AudioSilent
from segue.core.features.config import FeatureConfig
from segue.core.features.extract import extract
from segue.core.testing.synthetic_clips import render_clip

RATE = 22_050


def encoded(samples: Samples, rate: int = RATE, container: str = "WAV", subtype: str | None = None) -> bytes:
    """The samples as the bytes of a file."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=container, subtype=subtype)
    return file.getvalue()


def quality(content: bytes) -> Quality:
    """How good the sound of a piece is."""
    return extract(content, FeatureConfig(), 10).quality


def overdriven(seconds: float, rate: int = RATE) -> Samples:
    """A rendered clip, four times too loud."""
    clip = render_clip(3, seconds, rate)
    clipped: Samples = np.clip(clip * np.float32(4 / np.abs(clip).max()), -1, 1)
    return clipped


def half_silent(seconds: float) -> Samples:
    """A rendered clip of which only the last third can be heard."""
    clip = render_clip(2, seconds)
    clip[: int(len(clip) / 1.5)] = 0
    return clip


PIECES = {
    "nothing to say": (encoded(render_clip(0, 30.0)), ()),
    "one window": (encoded(render_clip(0, 3.5)), (Flag.SHORT,)),
    "too loud": (encoded(overdriven(30.0)), (Flag.CLIPPED,)),
    "too loud, of floats": (encoded(overdriven(30.0), subtype="FLOAT"), (Flag.CLIPPED,)),
    "too loud, of 24 bits": (encoded(overdriven(30.0), subtype="PCM_24", container="FLAC"), (Flag.CLIPPED,)),
    "too loud, read in pieces": (
        encoded(overdriven(90.0, 8_000), 8_000),
        (Flag.CLIPPED, Flag.RESAMPLED, Flag.LOW_RATE),
    ),
    "mostly silent": (encoded(half_silent(30.0)), (Flag.MOSTLY_SILENT,)),
    "a higher rate": (encoded(render_clip(0, 30.0, 44_100), 44_100), (Flag.RESAMPLED,)),
    "a lower rate": (encoded(render_clip(0, 30.0, 16_000), 16_000), (Flag.RESAMPLED, Flag.LOW_RATE)),
}


@pytest.mark.parametrize("name", PIECES)
def test_flags(name: str) -> None:
    """Each fault of the sound has its flag, and sound without fault has none."""
    content, flags = PIECES[name]
    assert flags == quality(content).flags


LOSSY = {
    kind: encoded(render_clip(1, 20.0, 48_000), 48_000, container, subtype)
    for kind, container, subtype in (("vorbis", "OGG", "VORBIS"), ("opus", "OGG", "OPUS"), ("mp3", "MP3", None))
}


@pytest.mark.parametrize("kind", LOSSY)
def test_what_was_cut_off_says_so(kind: str) -> None:
    """Of a file that ends too early what is left is heard, and the answer is marked; a whole one is not."""
    whole = LOSSY[kind]
    flags = [quality(content).flags for content in (whole, whole[: len(whole) // 2])]
    assert [(Flag.RESAMPLED,), (Flag.RESAMPLED, Flag.TRUNCATED)] == flags


@pytest.mark.parametrize("kind", LOSSY)
@pytest.mark.parametrize("missing", [10_000, 100_000])
def test_a_little_missing(kind: str, missing: int) -> None:
    """A cut is found wherever it is, and no file without one is suspected."""
    whole = LOSSY[kind]
    assert (False, True) == (ends_early(memoryview(whole)), ends_early(memoryview(whole[:-missing])))


def test_a_tag_in_front_of_an_mp3() -> None:
    """The length of a cut-off MP3 is counted from behind its ID3 tag."""
    tag = b"ID3\x04\x00\x00" + bytes([0, 0, 0x27, 0x08]) + bytes(5_000)
    whole = tag + LOSSY["mp3"]
    assert [False, True] == [ends_early(memoryview(content)) for content in (whole, whole[:-5_000])]


def test_an_mp4_that_was_cut_off() -> None:
    """A box that reaches past the end of the file tells of the cut."""
    head = struct.pack(">I4s", 16, b"ftyp") + b"M4A " + bytes(4)
    boxes = head + struct.pack(">I4s", 1_008, b"mdat") + bytes(1_000)
    assert [False, True] == [ends_early(memoryview(content)) for content in (boxes, boxes[:-1])]


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not on the PATH")
def test_what_ffmpeg_decodes_is_watched_too(tmp_path: Path) -> None:
    """Clipping is seen in what ffmpeg decodes."""
    wav, mkv = tmp_path / "clip.wav", tmp_path / "clip.mkv"
    wav.write_bytes(encoded(overdriven(30.0)))
    subprocess.run(["ffmpeg", "-v", "error", "-i", wav, "-c:a", "flac", mkv], check=True, stdin=subprocess.DEVNULL)  # noqa: S607 - the PATH's own
    assert (Flag.CLIPPED,) == quality(mkv.read_bytes()).flags


def test_the_share_that_is_clipped() -> None:
    """Each sample of each channel at full scale is counted once, above and below, in floats and in integers."""
    block = np.zeros((1_000, 2))
    block[:10, 0], block[5:15, 1] = 1, -1
    for scale, kind in ((1, np.float32), (32_768, np.int16)):
        meter = SignalMeter()
        meter.see(np.clip(block * scale, -scale, scale - (scale > 1)).astype(kind), np.zeros(1_000, np.float32), scale)
        assert 0.01 == meter.clipped


def test_channels_that_cancel() -> None:
    """A piece whose right channel is its left one turned over is silent when averaged, and the reason is told."""
    clip = render_clip(0, 5.0)
    with pytest.raises(AudioSilent, match="cancel each other"):
        quality(encoded(np.stack([clip, -clip], axis=1), subtype="FLOAT"))


@pytest.mark.parametrize("channels", [1, 2])
def test_silence_is_not_called_cancelled(channels: int) -> None:
    """Nothing in every channel is silence, and so is an offset."""
    for value in (0, 0.25):
        with pytest.raises(AudioSilent, match="Nothing can be heard"):
            quality(encoded(np.full((5 * RATE, channels), value, np.float32), subtype="FLOAT"))
