"""DTS by itself, in Matroska, and under the header of a WAV file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from segue.core.audio.decode import open_partial
from segue.core.audio.pcm import PcmForm, wav_header
from segue.core.errors import AudioUndecodable
from segue.core.testing.synthetic_clips import render_clip
from tests.helpers.audio import decode, encode_by_ffmpeg, needs_ffmpeg
from tests.helpers.extraction import check

CLIP = render_clip(3, 12.0)


@needs_ffmpeg
@pytest.mark.parametrize("name", ["clip.dts", "clip.mka"])
@pytest.mark.parametrize("channels", ["1", "2"])
def test_dts_is_not_taken_for_mp3(channels: str, name: str, tmp_path: Path) -> None:
    """The padding of its frames looks like frames of MP3, which would be noise of another length."""
    options = ("-c:a", "dca", "-ac", channels, "-strict", "-2")
    check(encode_by_ffmpeg(CLIP, 22_050, tmp_path / name, "-ar", "48000", *options), 12.0)


def in_wav(samples: bytes) -> bytes:
    """Returns a WAV file with these bytes as its samples."""
    return wav_header(PcmForm(48_000, 2, floats=False), len(samples)) + samples


@pytest.mark.parametrize("byteorder", [">", "<"])
def test_dts_in_a_wav(byteorder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The frames of a DTS CD are decoded by ffmpeg, and refused without it; as samples they would be noise."""
    sync = np.frombuffer(b"\x7f\xfe\x80\x01", ">u2").astype(f"{byteorder}u2").tobytes()
    monkeypatch.setenv("PATH", str(tmp_path))
    noise = np.random.default_rng(1).bytes(200_000)
    for read in (decode, read_partial):
        with pytest.raises(AudioUndecodable):
            read(in_wav(sync + noise))


def read_partial(audio: bytes) -> None:
    """Reads the first second of a clip that is arriving."""
    with open_partial(audio, 22_050) as source:
        source.read_available(0, 22_050)


@needs_ffmpeg
@pytest.mark.parametrize("byteorder", [">", "<"])
def test_dts_in_a_wav_with_ffmpeg(byteorder: str, tmp_path: Path) -> None:
    """The frames are decoded as DTS."""
    options = ("-c:a", "dca", "-ar", "48000", "-ac", "2", "-strict", "-2", "-b:a", "1536k")
    frames = encode_by_ffmpeg(CLIP, 22_050, tmp_path / "clip.dts", *options).read_bytes()
    words = np.frombuffer(frames[: len(frames) // 2 * 2], ">u2").astype(f"{byteorder}u2").tobytes()
    disguised = in_wav(words)
    check(disguised, 12.0)
    assert np.corrcoef(decode(disguised)[22_050 : 10 * 22_050], decode(frames)[22_050 : 10 * 22_050])[0, 1] > 0.99
