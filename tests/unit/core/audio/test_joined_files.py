"""Files that were joined, and Ogg files that have a hole."""

from __future__ import annotations

from pathlib import Path

import pytest

from segue.core.audio.quality import Flag
from segue.core.testing.synthetic_clips import render_clip
from tests.helpers.audio import encode, encode_by_ffmpeg, needs_ffmpeg
from tests.helpers.extraction import check, extract_any

CLIP = render_clip(3, 12.0)
MP3 = encode(CLIP, container="MP3")
ID3 = b"ID3\3\0\0" + bytes([0, 0, 0, 16]) + b"TIT2\0\0\0\6\0\0\0Title"


def test_joined_mp3s() -> None:
    """The header of the first file has only its own length."""
    check(MP3 + MP3, 24.0, tolerance=0.3)


@needs_ffmpeg
@pytest.mark.parametrize("codec", ["libvorbis", "libopus", "flac"])
def test_joined_ogg_files(codec: str, tmp_path: Path) -> None:
    """All of several joined files is decoded."""
    ogg = encode_by_ffmpeg(CLIP, 22_050, tmp_path / "clip.ogg", "-c:a", codec, "-f", "ogg").read_bytes()
    assert pytest.approx(12, abs=0.1) == extract_any(ogg).seconds
    assert pytest.approx(24, abs=0.2) == extract_any(ogg + ogg).seconds


@needs_ffmpeg
def test_joined_opus_files_are_whole(tmp_path: Path) -> None:
    """The header of the second file, which ffmpeg reports as an error, is no damage; a missing page is."""
    opus = encode_by_ffmpeg(CLIP, 22_050, tmp_path / "clip.opus", "-page_duration", "200000").read_bytes()
    check(opus + opus, 24.0, tolerance=0.2)
    check(opus + without_page(opus), 24.0, Flag.DAMAGED, tolerance=0.5)


def without_page(ogg: bytes) -> bytes:
    """Returns an Ogg file without a page of its middle."""
    middle = ogg.index(b"OggS\0", len(ogg) // 2)
    return ogg[:middle] + ogg[ogg.index(b"OggS\0", middle + 1) :]


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_a_hole_in_an_ogg_file(subtype: str) -> None:
    """A page that is missing, or whose bytes are wrong, is flagged."""
    ogg = encode(render_clip(3, 30.0, 48_000), 48_000, "OGG", subtype)
    middle = len(ogg) // 2
    check(ogg, 30.0)
    check(without_page(ogg), 30.0, Flag.DAMAGED, tolerance=1.0)
    check(ogg[:middle] + b"\0\xff" * 50 + ogg[middle + 100 :], 30.0, Flag.DAMAGED, tolerance=1.0)


JOINED_RATES = [(22_050, 44_100), (44_100, 22_050), (44_100, 48_000)]


@needs_ffmpeg
@pytest.mark.parametrize("rates", JOINED_RATES)
@pytest.mark.parametrize("between", [b"", ID3, b"TAG" + bytes(125) + ID3], ids=["frames", "tag", "tags"])
def test_joined_mp3s_of_different_rates(rates: tuple[int, int], between: bytes) -> None:
    """Both files have their own length and pitch, and their tags are no damage."""
    first, second = (encode(render_clip(3, 12.0, rate), rate, "MP3") for rate in rates)
    check(first + between + second, 24.0, tolerance=0.3)


def test_joined_mp3s_of_different_rates_without_ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first file is decoded, and the flag says that something was left out."""
    monkeypatch.setenv("PATH", str(tmp_path))
    first, second = (encode(render_clip(3, 12.0, rate), rate, "MP3") for rate in (44_100, 48_000))
    check(first + second, 12.0, Flag.DAMAGED, tolerance=0.3)
