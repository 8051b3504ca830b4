from __future__ import annotations

import struct

import pytest

from segue.core.audio.pcm import PcmForm, wav_header
from segue.core.audio.sniff import has_last_page, missing_share, playing_seconds
from segue.core.testing.synthetic_clips import render_clip
from tests.helpers.audio import encode


def encoded_clip(rate: int, container: str, subtype: str | None, seconds: float = 12.5) -> memoryview:
    """Returns the bytes of a rendered clip."""
    return memoryview(encode(render_clip(1, seconds, rate), rate, container, subtype))


LOSSY = {
    kind: encoded_clip(48_000, container, subtype, seconds=20.0)
    for kind, container, subtype in (("vorbis", "OGG", "VORBIS"), ("opus", "OGG", "OPUS"), ("mp3", "MP3", None))
}


@pytest.mark.parametrize(
    ("rate", "container", "subtype"),
    [(22_050, "WAV", "PCM_16"), (44_100, "WAV", "FLOAT"), (8_000, "FLAC", "PCM_16"), (96_000, "FLAC", "PCM_24")],
)
def test_the_duration_in_a_header(rate: int, container: str, subtype: str) -> None:
    """WAV and FLAC have their duration in the header, at any rate and depth."""
    assert pytest.approx(12.5, abs=0.01) == playing_seconds(encoded_clip(rate, container, subtype))


@pytest.mark.parametrize("container", ["OGG", "MP3"])
def test_an_estimated_duration(container: str) -> None:
    """The duration of other formats is estimated from their bytes, at 128 kbit/s."""
    audio = encoded_clip(44_100, container, "VORBIS" if container == "OGG" else "MPEG_LAYER_III")
    assert len(audio) / 16_000 == playing_seconds(audio)


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"RIFF",
        b"fLaC" + bytes(40),
        b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0" + bytes(16),
        b"RIFF\0\0\0\0WAVE" + struct.pack("<4sI", b"junk", 0) * 100_000,
    ],
)
def test_a_useless_header(head: bytes) -> None:
    """A header without a valid duration gives an estimate or 0, and no error."""
    assert playing_seconds(memoryview(head)) in {0.0, len(head) / 16_000}


@pytest.mark.parametrize("kind", ["vorbis", "opus"])
@pytest.mark.parametrize("missing", [10_000, 100_000])
def test_a_truncated_ogg(kind: str, missing: int) -> None:
    """A file that was cut off anywhere is recognized, and a whole file is not mistaken for one."""
    whole = LOSSY[kind]
    assert (True, False) == (has_last_page(whole), has_last_page(whole[:-missing]))


@pytest.mark.parametrize("missing", [10_000, 100_000])
def test_a_truncated_mp3(missing: int) -> None:
    """The Xing header says how much audio is missing."""
    whole = LOSSY["mp3"]
    assert 0 == missing_share(whole)
    assert pytest.approx(missing / (len(whole) - missing), rel=0.3) == missing_share(whole[:-missing])


@pytest.mark.parametrize("container", ["WAV", "AU", "AIFF"])
def test_a_truncated_file_of_samples(container: str) -> None:
    """The header says how much audio is missing: as much as is there."""
    whole = encoded_clip(22_050, container, "PCM_16")
    assert 0 == missing_share(whole)
    assert pytest.approx(1, abs=0.01) == missing_share(whole[: len(whole) // 2])


def test_a_truncated_file_of_half_an_hour() -> None:
    """A length above 0x0FFFFFFF bytes, which some recorders write for an unknown one, may also be a true length."""
    second = 4 * 44_100
    header = wav_header(PcmForm(44_100, 2, floats=False), 1_800 * second)
    assert pytest.approx(1_799) == missing_share(memoryview(header + bytes(second)))


def test_a_truncated_mp3_with_a_tag() -> None:
    """The length of an MP3 is counted from the end of its ID3 tag."""
    tag = b"ID3\x04\x00\x00" + bytes([0, 0, 0x27, 0x08]) + bytes(5_000)
    whole = memoryview(tag + bytes(LOSSY["mp3"]))
    assert missing_share(whole) == 0 < missing_share(whole[:-5_000])


def test_a_truncated_mp3_with_two_tags() -> None:
    """The second of two tags, and the footer of the first, are not counted as audio."""
    length = bytes([0, 0, 0x27, 0x08])
    first = b"ID3\x04\x00\x10" + length + bytes(5_000) + b"3DI\x04\x00\x10" + length
    second = b"ID3\x03\x00\x00" + length + bytes(5_000)
    whole = memoryview(first + second + bytes(LOSSY["mp3"]))
    assert missing_share(whole) == 0 < missing_share(whole[:-5_000])


def test_a_truncated_mp4() -> None:
    """A box that extends past the end of the file shows that it was cut off."""
    head = struct.pack(">I4s", 16, b"ftyp") + b"M4A " + bytes(4)
    whole = memoryview(head + struct.pack(">I4s", 1_008, b"mdat") + bytes(1_000))
    assert missing_share(whole) == 0 < missing_share(whole[:-1])
