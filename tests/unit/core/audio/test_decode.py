from __future__ import annotations

import contextlib
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue.core.audio.decode import read_audio
from segue.core.audio.limits import MAX_SECONDS
from segue.core.audio.pcm import PcmForm, wav_header
from segue.core.errors import AudioError, AudioTooLong, AudioTooShort, AudioUndecodable
from segue.core.features.config import FeatureConfig
from segue.core.features.extract import extract
from segue.core.testing.synthetic_clips import render_clip
from tests.helpers.audio import decode, encode, encode_by_ffmpeg, needs_ffmpeg, run_ffmpeg


@pytest.mark.parametrize(
    ("container", "subtype"),
    [("WAV", "PCM_16"), ("WAV", "PCM_24"), ("WAV", "FLOAT"), ("AU", "PCM_16"), ("FLAC", "PCM_16"), ("AIFF", "PCM_16")],
)
def test_lossless_formats(container: str, subtype: str) -> None:
    """Lossless formats give the same samples, up to a step of 16 bits."""
    clip = render_clip(4, 4.0)
    np.testing.assert_allclose(decode(encode(clip, container=container, subtype=subtype)), clip, atol=1 / 32_000)


@pytest.mark.parametrize(("container", "subtype"), [("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", None)])
def test_lossy_formats(container: str, subtype: str | None) -> None:
    """Lossy formats give windows close to the original: the mean difference of a cell is below 3 dB."""
    clip = render_clip(1, 6.0, 48_000)
    original, lossy = (
        extract(encode(clip, 48_000, *kind), FeatureConfig(), 1).windows.values
        for kind in (("WAV", None), (container, subtype))
    )
    assert np.abs(original - lossy).mean() < 3


@needs_ffmpeg
@pytest.mark.parametrize("as_bytes", [True, False], ids=["bytes", "file"])
def test_aac_by_ffmpeg(tmp_path: Path, as_bytes: bool) -> None:
    """AAC in MP4 is decoded, from memory and from disk."""
    m4a = encode_by_ffmpeg(render_clip(5, 5.0, 44_100), 44_100, tmp_path / "clip.m4a")
    assert abs(len(decode(m4a.read_bytes() if as_bytes else m4a)) / 22_050 - 5) < 0.1


@needs_ffmpeg
@pytest.mark.parametrize("channels", [1, 2, 3, 6])
def test_a_lossless_track_by_ffmpeg(tmp_path: Path, channels: int) -> None:
    """The samples are the same up to a step of 16 bits, with any number of channels in a block."""
    clip = render_clip(4, 3.0)
    mkv = encode_by_ffmpeg(np.stack([clip] * channels, axis=1), 22_050, tmp_path / "clip.mkv", "-c:a", "flac")
    np.testing.assert_allclose(decode(mkv), clip, atol=1 / 32_000)


@needs_ffmpeg
def test_too_many_hours_by_ffmpeg(tmp_path: Path) -> None:
    """The limit is the same as for other formats, in a container without its length."""
    mkv, seconds = tmp_path / "clip.mkv", str(MAX_SECONDS + 5)
    run_ffmpeg("-f", "lavfi", "-i", "anullsrc=r=4000:cl=mono", "-t", seconds, "-c:a", "flac", "-live", "1", mkv)
    with pytest.raises(AudioTooLong, match="the limit is 4 h"):
        decode(mkv, rate=4_000)


@needs_ffmpeg
@pytest.mark.parametrize(("rate", "channels", "sentence"), [(2_000, 1, "sample rate"), (22_050, 9, "9 channels")])
def test_an_impossible_format_by_ffmpeg(tmp_path: Path, rate: int, channels: int, sentence: str) -> None:
    """Both decoders have the same limits of rate and channels."""
    clip = np.zeros((5 * rate, channels), np.float32)
    mkv = encode_by_ffmpeg(clip, rate, tmp_path / "clip.mkv", "-c:a", "pcm_s16le")
    with pytest.raises(AudioUndecodable, match=sentence):
        decode(mkv)


def test_aac_without_ffmpeg(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the decoders that were tried and the one to install."""
    monkeypatch.setenv("PATH", "")
    with pytest.raises(AudioUndecodable, match=r"libsndfile and miniaudio .* install ffmpeg"):
        decode(b"\x00\x00\x00\x20ftypM4A " + bytes(100))


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100, 48_000, 96_000])
def test_other_rates_are_resampled(rate: int) -> None:
    """A tone keeps its pitch and its level at every rate."""
    tone = (0.5 * np.sin(2 * np.pi * 440 * np.arange(rate * 4) / rate)).astype(np.float32)
    spectrum = np.abs(np.fft.rfft(decode(encode(tone, rate))[22_050 : 3 * 22_050]))
    assert 440 == int(spectrum.argmax()) // 2
    assert abs(spectrum.max() / 22_050 - 0.5) < 0.01


def test_channels_are_averaged() -> None:
    """Stereo becomes the mean of its channels."""
    left, right = render_clip(0, 3.0), render_clip(1, 3.0)
    stereo = np.stack([left, right], axis=1)
    np.testing.assert_allclose(decode(encode(stereo, subtype="FLOAT")), (left + right) / 2, atol=1e-6)


@pytest.mark.parametrize("name", [b"clip.raw", b"clip.mp3", b"clip", b"clip \xff.flac"])
def test_the_name_of_a_file_is_ignored(tmp_path: Path, name: bytes) -> None:
    """A file may have the suffix of another format, no suffix, or a name that is not text."""
    path = tmp_path / os.fsdecode(name)
    path.write_bytes(encode(render_clip(0, 1.0)))
    assert 22_050 == read_audio(path, 22_050, lambda source: source.samples)


NOISE = np.random.default_rng(0).bytes(5_000)
CLIP = encode(render_clip(0, 4.0))
UNUSABLE = {
    "empty": (b"", AudioUndecodable, "no bytes"),
    "text": (b"This is not music. " * 100, AudioUndecodable, "not audio"),
    "jpeg": (b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + NOISE, AudioUndecodable, "not audio"),
    "noise": (NOISE, AudioUndecodable, "not audio"),
    "header only": (CLIP[:20], AudioUndecodable, "not audio"),
    "no samples": (encode(np.zeros(0, np.float32)), AudioTooShort, "no samples"),
    "nan": (encode(np.full(90_000, np.nan, np.float32), subtype="FLOAT"), AudioUndecodable, "not finite"),
    "beyond all scales": (encode(1e30 * render_clip(0, 4.0), subtype="FLOAT"), AudioUndecodable, "full scale"),
    "impossible rate": (encode(render_clip(0, 3.0), 1_000), AudioUndecodable, "sample rate"),
    "channels": (encode(np.zeros((90_000, 9), np.float32)), AudioUndecodable, "channels"),
}


@pytest.mark.parametrize("name", UNUSABLE)
@pytest.mark.parametrize("as_file", [False, True], ids=["bytes", "file"])
def test_unusable_audio(name: str, as_file: bool, tmp_path: Path) -> None:
    """Each kind of unusable audio has its own error, from memory and from disk."""
    content, error, sentence = UNUSABLE[name]
    path = tmp_path / "clip.wav"
    path.write_bytes(content)
    with pytest.raises(error, match=sentence if content else "no bytes|empty"):
        decode(path if as_file else content)


def test_too_many_hours(tmp_path: Path) -> None:
    """A clip beyond the limit is refused before it is decoded."""
    length = 2 * 4_000 * (MAX_SECONDS + 60)
    path = tmp_path / "long.wav"
    path.write_bytes(wav_header(PcmForm(4_000, 1, floats=False), length))
    os.truncate(path, path.stat().st_size + length)
    with pytest.raises(AudioTooLong, match="the limit is 4 h"):
        decode(path)


@settings(deadline=None, max_examples=200)
@given(st.integers(0, len(CLIP)), st.integers(0, 3_000), st.binary(min_size=1, max_size=8))
def test_damaged_audio(length: int, position: int, patch: bytes) -> None:
    """Audio that was changed or cut off anywhere gives finite samples or an AudioError, never anything else."""
    damaged = bytearray(CLIP[:length])
    damaged[position : position + len(patch)] = patch
    with contextlib.suppress(AudioError):
        assert np.isfinite(decode(bytes(damaged))).all()
