from __future__ import annotations

import os
import struct
from pathlib import Path

import numpy as np
import pytest

from segue.core.audio.containers import FileBytes
from segue.core.testing.synthetic_clips import render_clip
from segue.server.inference.work_estimate import work_seconds
from tests.helpers.audio import encode


def encoded_clip(rate: int, container: str, subtype: str | None, seconds: float = 12.5) -> memoryview:
    """Returns the bytes of a rendered clip."""
    return memoryview(encode(render_clip(1, seconds, rate), rate, container, subtype))


@pytest.mark.parametrize(
    ("rate", "container", "subtype"),
    [(22_050, "WAV", "PCM_16"), (44_100, "WAV", "FLOAT"), (8_000, "FLAC", "PCM_16"), (96_000, "FLAC", "PCM_24")],
)
def test_the_duration_in_a_header(rate: int, container: str, subtype: str) -> None:
    """WAV and FLAC have their duration in the header, at any rate and depth."""
    assert pytest.approx(12.5, abs=0.01) == work_seconds(encoded_clip(rate, container, subtype))


@pytest.mark.parametrize("container", ["OGG", "MP3"])
def test_an_estimated_duration(container: str) -> None:
    """The duration of other formats is estimated from their bytes, at 128 kbit/s."""
    audio = encoded_clip(44_100, container, "VORBIS" if container == "OGG" else "MPEG_LAYER_III")
    assert len(audio) / 16_000 == work_seconds(audio)


def test_a_long_clip() -> None:
    """Of a long clip only the windows are read, unless its format must be decoded from start to end."""
    assert 60 == work_seconds(encoded_clip(8_000, "FLAC", "PCM_16", seconds=90))
    assert 60 == work_seconds(memoryview(b"ID3" + bytes(10_000_000)))
    assert 400 < work_seconds(memoryview(bytes(4) + b"ftypM4A " + bytes(10_000_000)))
    assert 400 < work_seconds(memoryview(b"\xff\xf1" + bytes(10_000_000)))  # AAC in ADTS


@pytest.mark.parametrize(("container", "subtype", "least"), [("FLAC", "PCM_16", 2.5), ("WAV", "PCM_16", 2.5)])
def test_many_samples(container: str, subtype: str, least: float) -> None:
    """Channels and sample rate weigh."""
    samples = np.zeros((30 * 96_000, 8), np.float32)
    assert 30 * least < work_seconds(memoryview(encode(samples, 96_000, container, subtype)))


def test_opus_of_many_channels() -> None:
    """Opus of eight channels weighs several times as much as its bytes would at 128 kbit/s."""
    head = b"OggS" + bytes(24) + b"OpusHead\1\10"
    assert 160 < work_seconds(memoryview(head + bytes(379_000)))


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"RIFF",
        b"\xff",
        b"fLaC" + bytes(40),
        b"OggS" + bytes(24) + b"OpusHead",
        b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0" + bytes(16),
        b"RIFF\0\0\0\0WAVE" + struct.pack("<4sI", b"junk", 0) * 100_000,
    ],
)
def test_a_useless_header(head: bytes) -> None:
    """A header without a valid duration gives an estimate or 0, and no error."""
    assert 0.0 <= work_seconds(memoryview(head)) <= len(head) / 16_000


@pytest.mark.parametrize(
    ("head", "part"),
    [
        (b"OggS" + bytes(23), b"OggS" + bytes(23)),
        (b"RIFF\xff\xff\xff\x7fWAVE", b"junk" + bytes(4)),
        (b"FORM\x7f\xff\xff\xffAIFF", b"junk" + bytes(4)),
        (b"\0\0\0\x08ftyp", b"\0\0\0\x08free"),
        (b"fLaC", b"\1\0\0\0"),
        (b"ID3\4\0\0\0\0\0\0", b"ID3\4\0\0\0\0\0\0"),
    ],
    ids=["Ogg", "WAV", "AIFF", "MP4", "FLAC", "tags"],
)
def test_hostile_parts_cost_the_server_nothing(
    head: bytes, part: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a file with 100,000 empty parts the server itself reads a few hundred bytes; the rest is a worker's."""
    sizes: list[int] = []
    pread = os.pread

    def counted(descriptor: int, size: int, position: int) -> bytes:
        sizes.append(size)
        return pread(descriptor, size, position)

    (tmp_path / "hostile").write_bytes(head + part * 100_000)
    monkeypatch.setattr(os, "pread", counted)
    with (tmp_path / "hostile").open("rb") as file:
        assert work_seconds(FileBytes(file.fileno())) >= 0
    assert sum(sizes) < 1_000
