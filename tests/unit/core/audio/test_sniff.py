from __future__ import annotations

import struct

import pytest

from segue.core.audio.sniff import has_last_page, is_cut_in_fragment, playing_seconds
from segue.core.testing.synthetic_clips import render_clip
from tests.helpers.audio import encode


def encoded_clip(rate: int, container: str, subtype: str | None, seconds: float = 12.5) -> memoryview:
    """Returns the bytes of a rendered clip."""
    return memoryview(encode(render_clip(1, seconds, rate), rate, container, subtype))


LOSSY = {
    kind: encoded_clip(48_000, container, subtype, seconds=20.0)
    for kind, container, subtype in (("vorbis", "OGG", "VORBIS"), ("opus", "OGG", "OPUS"))
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


@pytest.mark.parametrize(("kept", "is_cut"), [(48, False), (47, False), (36, False), (35, True), (23, True)])
def test_a_truncated_fragment(kept: int, is_cut: bool) -> None:
    """A fragmented MP4 was cut off if it ends within a fragment, but not if it ends within its index."""
    whole = b"".join(struct.pack(">I4s4x", 12, name) for name in (b"ftyp", b"moof", b"mdat", b"mfra"))
    assert is_cut == is_cut_in_fragment(memoryview(whole[:kept]))
