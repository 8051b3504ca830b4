from __future__ import annotations

import struct
from pathlib import Path

import pytest

from segue.core.audio.declared_length import declared_seconds, missing_share
from segue.core.audio.pcm import PcmForm, wav_header
from segue.core.audio.quality import Flag
from segue.core.features.config import FeatureConfig
from segue.core.features.extract import extract
from segue.core.testing.synthetic_clips import render_clip
from tests.helpers.audio import encode, encode_by_ffmpeg, needs_ffmpeg

MP3 = memoryview(encode(render_clip(1, 20.0, 48_000), 48_000, "MP3"))


@pytest.mark.parametrize("missing", [10_000, 100_000])
def test_a_truncated_mp3(missing: int) -> None:
    """The Xing header says how much audio is missing."""
    whole = MP3
    assert 0 == missing_share(whole)
    assert pytest.approx(missing / (len(whole) - missing), rel=0.3) == missing_share(whole[:-missing])


@pytest.mark.parametrize("container", ["WAV", "AU", "AIFF", "RF64", "W64", "CAF"])
def test_a_truncated_file_of_samples(container: str) -> None:
    """The header says how much audio is missing: as much as is there."""
    whole = memoryview(encode(render_clip(1, 12.5), container=container, subtype="PCM_16"))
    assert 0 == missing_share(whole)
    assert pytest.approx(1, abs=0.02) == missing_share(whole[: len(whole) // 2])


def test_a_truncated_file_of_half_an_hour() -> None:
    """A length above 0x0FFFFFFF bytes, which some recorders write for an unknown one, may also be a true length."""
    second = 4 * 44_100
    header = wav_header(PcmForm(44_100, 2, floats=False), 1_800 * second)
    assert pytest.approx(1_799) == missing_share(memoryview(header + bytes(second)))


def test_a_truncated_mp3_with_a_tag() -> None:
    """The length of an MP3 is counted from the end of its ID3 tag."""
    tag = b"ID3\x04\x00\x00" + bytes([0, 0, 0x27, 0x08]) + bytes(5_000)
    whole = memoryview(tag + bytes(MP3))
    assert missing_share(whole) == 0 < missing_share(whole[:-5_000])


def test_a_truncated_mp3_with_two_tags() -> None:
    """The second of two tags, and the footer of the first, are not counted as audio."""
    length = bytes([0, 0, 0x27, 0x08])
    first = b"ID3\x04\x00\x10" + length + bytes(5_000) + b"3DI\x04\x00\x10" + length
    second = b"ID3\x03\x00\x00" + length + bytes(5_000)
    whole = memoryview(first + second + bytes(MP3))
    assert missing_share(whole) == 0 < missing_share(whole[:-5_000])


def test_a_truncated_mp4() -> None:
    """A box that extends past the end of the file shows that it was cut off."""
    head = struct.pack(">I4s", 16, b"ftyp") + b"M4A " + bytes(4)
    whole = memoryview(head + struct.pack(">I4s", 1_008, b"mdat") + bytes(1_000))
    assert missing_share(whole) == 0 < missing_share(whole[:-1])


def test_an_mp4_whose_last_box_has_no_audio() -> None:
    """All audio is there, however long the box is that was cut off."""
    head = struct.pack(">I4s", 16, b"ftyp") + b"M4A " + bytes(4)
    audio = struct.pack(">I4s", 1_008, b"mdat") + bytes(1_000)
    assert 0 == missing_share(memoryview(head + audio + struct.pack(">I4s", 5_000, b"free") + bytes(1)))


def test_a_fragmented_mp4() -> None:
    """The audio of all fragments counts, although only the last was cut off."""
    fragment = struct.pack(">I4s", 8, b"moof") + struct.pack(">I4s", 1_008, b"mdat") + bytes(1_000)
    whole = struct.pack(">I4s", 8, b"ftyp") + 10 * fragment
    assert pytest.approx(100 / 9_900) == missing_share(memoryview(whole[:-100]))


LONG = {
    "RF64": b"RF64\xff\xff\xff\xffWAVEds64" + struct.pack("<I3Q", 28, 0, 2**63, 0) + bytes(4) + b"data\xff\xff\xff\xff",
    "W64": b"riff" + bytes(36) + b"data" + bytes(12) + struct.pack("<Q", 2**63 - 1),
    "CAF": b"caff\0\1\0\0data" + struct.pack(">q", -1),
    "Matroska": b"\x1a\x45\xdf\xa3\x81\0\x18\x53\x80\x67\x01" + b"\xff" * 7,
    "ASF": b"\x30\x26\xb2\x75" + bytes(12) + struct.pack("<Q", 30) + bytes(22) + struct.pack("<Q", 2**64 - 1),
    "WavPack": b"wvpk" + bytes(8) + b"\xff" * 4 + bytes(8) + struct.pack("<I", 9 << 23),
}


@pytest.mark.parametrize("name", LONG)
def test_an_unknown_length(name: str) -> None:
    """The lengths that mean an unknown one declare nothing, and an incomplete header is no error."""
    views = [memoryview(LONG[name])[:length] for length in range(len(LONG[name]) + 1)]
    shares, seconds = [missing_share(view) for view in views], [declared_seconds(view) for view in views]
    assert (0, 0) == (shares[-1], max(seconds))


@needs_ffmpeg
@pytest.mark.parametrize("suffix", ["rf64.wav", "w64", "caf", "wv", "tta", "mka", "webm", "wma", "avi", "flac"])
def test_a_truncated_file_of_ffmpeg(suffix: str, tmp_path: Path) -> None:
    """Half of a file is flagged as truncated, with the seconds that are missing; a whole one is not."""
    options = ("-rf64", "always") if suffix == "rf64.wav" else ()
    path = encode_by_ffmpeg(render_clip(3, 20.0, 48_000), 48_000, tmp_path / f"whole.{suffix}", *options)
    whole, cut = path.read_bytes(), path.read_bytes()[: path.stat().st_size // 2]
    qualities = [extract(audio, FeatureConfig(), 10).quality for audio in (whole, cut)]
    assert [set(), {Flag.TRUNCATED}] == [set(quality.flags) & {Flag.TRUNCATED, Flag.DAMAGED} for quality in qualities]
    assert [0, pytest.approx(10, abs=1.5)] == [quality.flaws.missing_seconds for quality in qualities]
