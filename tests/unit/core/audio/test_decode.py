from __future__ import annotations

import contextlib
import io
import shutil
import struct
import subprocess
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from segue.core.audio import decode, sources
from segue.core.audio.decode import open_audio
from segue.core.audio.sources import Samples
from segue.core.errors import AudioError, AudioTooLong, AudioTooShort, AudioUndecodable
from segue.core.features.config import FeatureConfig
from segue.core.features.extract import extract
from segue.core.features.windows import extract_windows
from segue.core.testing.synthetic_clips import render_clip


def encoded(samples: Samples, rate: int = 22_050, container: str = "WAV", subtype: str | None = None) -> bytes:
    """The samples as the bytes of a file."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=container, subtype=subtype)
    return file.getvalue()


def decoded(content: bytes | Path, rate: int = 22_050) -> Samples:
    """All samples of a piece."""
    with open_audio(content, rate) as source:
        return source.read(0, source.samples)


@pytest.mark.parametrize(
    ("container", "subtype"),
    [("WAV", "PCM_16"), ("WAV", "PCM_24"), ("WAV", "FLOAT"), ("AU", "PCM_16"), ("FLAC", "PCM_16"), ("AIFF", "PCM_16")],
)
def test_lossless_formats(container: str, subtype: str) -> None:
    """Lossless formats give back the samples, to a step of 16 bits."""
    clip = render_clip(4, 4.0)
    np.testing.assert_allclose(decoded(encoded(clip, container=container, subtype=subtype)), clip, atol=1 / 32_000)


@pytest.mark.parametrize(("container", "subtype"), [("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", None)])
def test_lossy_formats(container: str, subtype: str | None) -> None:
    """Lossy formats give windows close to the original's: within 3 dB a cell on average."""
    clip = render_clip(1, 6.0, 48_000)
    original, lossy = (
        extract(encoded(clip, 48_000, *kind), FeatureConfig(), 1).windows.values
        for kind in (("WAV", None), (container, subtype))
    )
    assert np.abs(original - lossy).mean() < 3


needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not on the PATH")


def by_ffmpeg(samples: Samples, rate: int, path: Path, *options: str) -> Path:
    """Writes the samples by ffmpeg."""
    wav = path.with_name("clip.wav")
    wav.write_bytes(encoded(samples, rate))
    subprocess.run(["ffmpeg", "-v", "error", "-i", wav, *options, path], check=True, stdin=subprocess.DEVNULL)  # noqa: S607 - the PATH's own
    return path


@needs_ffmpeg
@pytest.mark.parametrize("as_bytes", [True, False], ids=["bytes", "file"])
def test_aac_by_ffmpeg(tmp_path: Path, as_bytes: bool) -> None:
    """AAC in MP4 is decoded where ffmpeg is there."""
    m4a = by_ffmpeg(render_clip(5, 5.0, 44_100), 44_100, tmp_path / "clip.m4a")
    assert abs(len(decoded(m4a.read_bytes() if as_bytes else m4a)) / 22_050 - 5) < 0.1


@needs_ffmpeg
@pytest.mark.parametrize("channels", [1, 2, 3, 6])
def test_what_ffmpeg_decodes_is_what_was_encoded(tmp_path: Path, channels: int) -> None:
    """A lossless track comes back to a step of 16 bits, whatever its channels make of the size of a block."""
    clip = render_clip(4, 3.0)
    mkv = by_ffmpeg(np.stack([clip] * channels, axis=1), 22_050, tmp_path / "clip.mkv", "-c:a", "flac")
    np.testing.assert_allclose(decoded(mkv), clip, atol=1 / 32_000)


@needs_ffmpeg
@pytest.mark.parametrize("live", [True, False], ids=["without a length", "with its length"])
def test_too_long_for_ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, live: bool) -> None:
    """What is held in memory is bounded, also where the container does not say how long it is."""
    options = ["-c:a", "flac", *(["-live", "1"] if live else [])]
    mkv = by_ffmpeg(np.zeros(60 * 44_100, np.float32), 44_100, tmp_path / "clip.mkv", *options)
    monkeypatch.setattr(decode, "MAX_FFMPEG_SECONDS", 10)
    with pytest.raises(AudioTooLong, match="up to 1 h"):
        decoded(mkv)


@needs_ffmpeg
@pytest.mark.parametrize(("rate", "channels", "sentence"), [(2_000, 1, "sample rate"), (22_050, 9, "9 channels")])
def test_an_impossible_form_by_ffmpeg(tmp_path: Path, rate: int, channels: int, sentence: str) -> None:
    """The same rates and channels are taken by either decoder."""
    clip = np.zeros((5 * rate, channels), np.float32)
    mkv = by_ffmpeg(clip, rate, tmp_path / "clip.mkv", "-c:a", "pcm_s16le")
    with pytest.raises(AudioUndecodable, match=sentence):
        decoded(mkv)


def test_aac_without_ffmpeg(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without ffmpeg, AAC is refused with the name of what is missing."""
    monkeypatch.setenv("PATH", "")
    with pytest.raises(AudioUndecodable, match="ffmpeg"):
        decoded(b"\x00\x00\x00\x20ftypM4A " + bytes(100))


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100, 48_000, 96_000])
def test_other_rates_are_resampled(rate: int) -> None:
    """A tone keeps its pitch and its level at every rate."""
    tone = (0.5 * np.sin(2 * np.pi * 440 * np.arange(rate * 4) / rate)).astype(np.float32)
    spectrum = np.abs(np.fft.rfft(decoded(encoded(tone, rate))[22_050 : 3 * 22_050]))
    assert 440 == int(spectrum.argmax()) // 2
    assert abs(spectrum.max() / 22_050 - 0.5) < 0.01


def test_channels_are_averaged() -> None:
    """Stereo becomes the mean of its channels."""
    left, right = render_clip(0, 3.0), render_clip(1, 3.0)
    stereo = np.stack([left, right], axis=1)
    np.testing.assert_allclose(decoded(encoded(stereo, subtype="FLOAT")), (left + right) / 2, atol=1e-6)


@pytest.mark.parametrize("rate", [22_050, 44_100, 48_000])
@pytest.mark.parametrize("container", ["WAV", "FLAC"])
def test_pieces_of_a_long_track(rate: int, container: str) -> None:
    """Seeking to the windows of a long track gives what decoding all of it gives."""
    content = encoded(render_clip(6, 70.0, rate), rate, container)
    with open_audio(content, 22_050) as pieces, open_audio(content, 22_050, whole_seconds=100) as whole:
        by_seeking, at_once = (extract_windows(source, FeatureConfig(), 10).values for source in (pieces, whole))
    np.testing.assert_allclose(at_once, by_seeking, atol=0.2)


@pytest.mark.parametrize("rate", [11_025, 22_050, 48_000])
def test_blocks_leave_no_seams(monkeypatch: pytest.MonkeyPatch, rate: int) -> None:
    """What is mixed down and resampled block by block is what it would be at once, to the bit."""
    stereo = np.stack([render_clip(0, 5.0, rate), render_clip(1, 5.0, rate)], axis=1)
    content = encoded(stereo, rate, subtype="FLOAT")
    expected = soxr.resample(stereo.mean(axis=1, dtype=np.float32), rate, 22_050, quality="HQ")
    monkeypatch.setattr(sources, "_BLOCK_SAMPLES", 9_001)
    np.testing.assert_array_equal(decoded(content), expected)


@pytest.mark.parametrize("whole_seconds", [60, 0], ids=["whole", "pieces"])
def test_a_decompression_bomb(whole_seconds: float) -> None:
    """A little file that unfolds to half a gigabyte takes the memory of what is heard of it."""
    second = np.zeros((655_350, 8), np.float32)
    second[::65_535] = 0.5
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", 655_350, 8, format="FLAC", subtype="PCM_16") as writer:
        for _ in range(6):  # 126 MB as float32
            writer.write(second)
    tracemalloc.start()
    try:
        with open_audio(file.getvalue(), 22_050, whole_seconds) as source:
            source.read(0, 66_150)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 20 * 2**20


NOISE = np.random.default_rng(0).bytes(5_000)
CLIP = encoded(render_clip(0, 4.0))
BAD = {
    "empty": (b"", AudioUndecodable, "no bytes"),
    "text": (b"This is not music. " * 100, AudioUndecodable, "not audio"),
    "jpeg": (b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + NOISE, AudioUndecodable, "not audio"),
    "noise": (NOISE, AudioUndecodable, "not audio"),
    "truncated wav": (CLIP[: len(CLIP) // 2], AudioUndecodable, "cut off"),
    "truncated au": (encoded(render_clip(0, 4.0), container="AU")[:50_000], AudioUndecodable, "cut off"),
    "truncated flac": (encoded(render_clip(0, 4.0), container="FLAC")[:50_000], AudioUndecodable, "cut off|damaged"),
    "truncated long flac": (
        encoded(render_clip(0, 70.0, 8_000), 8_000, container="FLAC")[:600_000],
        AudioUndecodable,
        "cut off|damaged",
    ),
    "header only": (CLIP[:20], AudioUndecodable, "not audio"),
    "no samples": (encoded(np.zeros(0, np.float32)), AudioTooShort, "no sound"),
    "nan": (encoded(np.full(90_000, np.nan, np.float32), subtype="FLOAT"), AudioUndecodable, "not finite"),
    "beyond all scales": (encoded(1e30 * render_clip(0, 4.0), subtype="FLOAT"), AudioUndecodable, "full scale"),
    "impossible rate": (encoded(render_clip(0, 3.0), 1_000), AudioUndecodable, "sample rate"),
    "channels": (encoded(np.zeros((90_000, 9), np.float32)), AudioUndecodable, "channels"),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("as_file", [False, True], ids=["bytes", "file"])
def test_bad_audio(name: str, as_file: bool, tmp_path: Path) -> None:
    """Each kind of unusable audio has its own error with a sentence, from memory and from disk."""
    content, error, sentence = BAD[name]
    path = tmp_path / "clip.wav"
    path.write_bytes(content)
    with pytest.raises(error, match=sentence if content else "no bytes|empty"):
        decoded(path if as_file else content)


def test_too_many_hours(monkeypatch: pytest.MonkeyPatch) -> None:
    """A piece longer than the limit is refused before it is decoded."""
    monkeypatch.setattr(decode, "MAX_SECONDS", 3)
    with pytest.raises(AudioTooLong, match="at most"):
        decoded(CLIP)


def test_a_wav_of_unknown_length_is_not_cut_off() -> None:
    """A recorder that streams writes a length of all ones; what is there is taken."""
    at = CLIP.index(b"data") + 4
    content = CLIP[:at] + struct.pack("<I", 0xFFFFFFFF) + CLIP[at + 4 :]
    assert abs(len(decoded(content)) - 4 * 22_050) < 10


@settings(deadline=None, max_examples=200)
@given(st.integers(0, len(CLIP)), st.integers(0, 3_000), st.binary(min_size=1, max_size=8))
def test_damaged_audio_never_breaks_out(length: int, at: int, patch: bytes) -> None:
    """Bytes changed or cut anywhere give samples or a typed error, never anything else."""
    damaged = bytearray(CLIP[:length])
    damaged[at : at + len(patch)] = patch
    with contextlib.suppress(AudioError):
        assert np.isfinite(decoded(bytes(damaged))).all()
