from __future__ import annotations

import io
import mmap
import os
import struct
from pathlib import Path

import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from segue.core.audio.containers import FileBytes
from segue.core.audio.track_id import file_track_id, track_id
from segue.core.testing.synthetic_clips import render_clip

MAGICS = (
    b"RIFF\x10\x00\x00\x00WAVEfmt ",
    b"FORM\x00\x00\x00\x10AIFFCOMM",
    b"fLaC\x00\x00\x00\x22",
    b"OggS\x00\x02",
    b".snd\x00\x00\x00\x18",
    b"\x00\x00\x00\x20ftypM4A \x00\x00\x00\x01mdat",
    b"ID3\x04\x00\x10\x00\x00\x00\x01fLaC",
    b"\xff\xfb\x90\x00",
    b"",
)
# The header and the footer of an APEv2 tag of 8 bytes.
APE_MARK = b"APETAGEX" + struct.pack("<IIII", 2000, 40, 1, 0x80000000) + bytes(8)
TAILS = (b"", b"TAG" + bytes(125), b"APETAGEX" + b"\xff" * 24, b"999999LYRICS200", b"000000LYRICS200")


def encode(kind: str, title: str = "", seed: int = 0) -> bytes:
    """Returns a file with one second of rendered music, in this format and with this title in its tags."""
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", 22_050, 1, format=kind) as out:
        if title:
            out.title = title
        out.write(render_clip(1, 1.0, seed=seed))
    return file.getvalue()


def identify(data: bytes) -> str:
    """Returns the id of these bytes."""
    return track_id(memoryview(data))


@pytest.mark.parametrize("kind", ["WAV", "AIFF", "FLAC", "OGG", "MP3"])
def test_tags_do_not_change_the_id(kind: str) -> None:
    """The same audio with another title is the same track, and other audio is another track."""
    plain, tagged = encode(kind), encode(kind, title="A title")

    assert plain != tagged
    assert identify(plain) == identify(tagged)
    assert identify(plain) != identify(encode(kind, seed=1))


def test_an_ogg_comment_over_several_pages_does_not_change_the_id() -> None:
    """A cover picture in the comments has pages of its own, which are not audio."""
    assert identify(encode("OGG")) == identify(encode("OGG", title="x" * 300_000))


def test_each_format_of_a_recording_is_a_track() -> None:
    """Encodings of one recording in several formats are near-duplicates, not one track."""
    assert 5 == len({identify(encode(kind)) for kind in ("WAV", "AIFF", "FLAC", "OGG", "MP3")})


def test_flac_is_identified_by_its_samples() -> None:
    """Two encodings of the same samples with different compression are one track, because FLAC has their digest."""
    small, large = io.BytesIO(), io.BytesIO()
    samples = render_clip(1, 1.0)
    soundfile.write(small, samples, 22_050, format="FLAC", compression_level=1.0)
    soundfile.write(large, samples, 22_050, format="FLAC", compression_level=0.0)

    assert small.getvalue() != large.getvalue()
    assert identify(small.getvalue()) == identify(large.getvalue())


def test_flac_without_a_digest_is_identified_by_its_frames() -> None:
    """The digest is empty if the encoder could not seek back; the metadata blocks are not hashed then either."""
    whole = encode("FLAC")
    undigested = whole[:26] + bytes(16) + whole[42:]
    padded = undigested[:4] + bytes([0]) + undigested[5:42] + b"\x01\x00\x00\x64" + bytes(100) + undigested[42:]

    assert identify(whole) != identify(undigested)
    assert identify(undigested) == identify(padded)


@pytest.mark.parametrize(
    ("head", "tail"),
    [
        (b"ID3\x04\x00\x00\x00\x00\x02\x00" + b"x" * 256, b""),
        (b"ID3\x04\x00\x10\x00\x00\x00\x05" + b"x" * 5 + b"3DI" + bytes(7), b""),
        (b"", b"TAG" + b"x" * 125),
        (b"", APE_MARK + b"y" * 8 + APE_MARK),
        (b"", b"LYRICSBEGIN" + b"x" * 20 + b"000031LYRICS200"),
    ],
)
def test_tags_around_a_stream_do_not_change_the_id(head: bytes, tail: bytes) -> None:
    """ID3v2 before an MP3 stream is not part of it, nor is ID3v1, APEv2 or Lyrics3 after it."""
    stream = encode("MP3")

    assert identify(stream) == identify(head + stream + tail)
    assert identify(stream) == identify(head + stream + tail + b"TAG" + bytes(125))


def test_the_text_in_an_au_header_does_not_change_the_id() -> None:
    """The annotation of an AU file is a tag, but its rate is not."""
    form = struct.pack(">III", 3, 22_050, 1)
    plain = b".snd" + struct.pack(">II", 24, 4) + form + b"\x01\x02\x03\x04"
    annotated = b".snd" + struct.pack(">II", 32, 4) + form + b"a title\0" + b"\x01\x02\x03\x04"
    faster = plain.replace(struct.pack(">I", 22_050), struct.pack(">I", 44_100))

    assert identify(plain) == identify(annotated)
    assert identify(plain) != identify(faster)


def test_mp4_is_identified_by_its_media() -> None:
    """Titles and covers are in other boxes than the audio, before or after it."""
    kind, media = b"\x00\x00\x00\x0cftypM4A ", b"\x00\x00\x00\x0cmdat\x01\x02\x03\x04"
    tags = b"\x00\x00\x00\x10moov" + b"a title\0"

    assert identify(kind + media + tags) == identify(kind + tags + media)


FLAC_INFO = struct.pack(">HHHHH", 4096, 4096, 0, 0, 0) + bytes(range(24))
GOLDEN = {
    b"": "5e1fd127b61b869112f2faa55a508920",
    b"no audio": "c3043f7f54f5d6afa1f1aa5bd8decce8",
    b"\xff\xfb\x90\x00 frames": "745cc90957c5144fe2c4397d96a360c6",
    b"RIFF\x1c\0\0\0WAVEfmt \x04\0\0\0formdata\x04\0\0\0\1\2\3\4": "6e20cd87c5d258ce6e5a39fed5d6506e",
    b"FORM\0\0\0\x1cAIFFCOMM\0\0\0\x04formSSND\0\0\0\x04\1\2\3\4": "e6e75a36e8c1a798ffdc749ce2cd3934",
    b".snd\0\0\0\x18\0\0\0\x04\0\0\0\3\0\0\x56\x22\0\0\0\1\1\2\3\4": "5fe8d85b2d549c2eec8adc7c448db7d1",
    b"fLaC\x80\0\0\x22" + FLAC_INFO + b"frames": "77c1d37af2768fef6914214ab15eeda3",
    b"fLaC\x80\0\0\x22" + FLAC_INFO[:18] + bytes(16) + b"frames": "0c8790923f3b99129895095ad28cf4a2",
    b"\0\0\0\x0cftypM4A \0\0\0\x0cmdat\1\2\3\4": "451ddcce8eae0d1dc9ee200e9dd13394",
    b"OggS\0\2" + bytes(20) + b"\1\4head" + b"OggS\0\0\1" + bytes(19) + b"\1\4body": "8c22ddbe6af79ff998dc8f605c7a3ca4",
}


@pytest.mark.parametrize("data", GOLDEN)
def test_ids_never_change(data: bytes) -> None:
    """Every catalogue has these ids: one changed digit would cause every library to be indexed again."""
    assert GOLDEN[data] == identify(data)


@given(magic=st.sampled_from(MAGICS), noise=st.binary(max_size=300), tail=st.sampled_from(TAILS))
def test_any_bytes_have_an_id(magic: bytes, noise: bytes, tail: bytes) -> None:
    """Hostile bytes have an id as well, the same one each time."""
    data = magic + noise + tail

    assert 32 == len(identify(data))
    assert identify(data) == identify(data)
    assert set(identify(data)) <= set("0123456789abcdef")


@pytest.mark.parametrize(
    "data",
    [
        b"RIFF\0\0\0\0WAVE" + bytes(2**24),
        b"\0\0\0\x08ftyp" + b"\0\0\0\x08free" * 2**20,
        b"OggS" * 2**22,
        b"ID3\x04\0\0\0\0\0\0" * 2**20,
        (b"TAG" + bytes(125)) * 2**17,
    ],
    ids=["chunks", "boxes", "pages", "heads", "tails"],
)
@pytest.mark.timeout(5)
def test_sixteen_hostile_mebibytes_are_quick(data: bytes) -> None:
    """Bytes that consist of empty parts do not keep a processor busy."""
    assert 32 == len(identify(data))


def test_a_mapped_file_can_be_closed(tmp_path: Path) -> None:
    """No reference to the bytes is kept, so a mapped file can be closed at once."""
    path = tmp_path / "clip.ogg"
    path.write_bytes(encode("OGG"))
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
        memoryview(mapped) as view,
    ):
        assert identify(path.read_bytes()) == track_id(view)


@pytest.mark.parametrize("kind", ["WAV", "AIFF", "AU", "FLAC", "OGG", "MP3"])
@pytest.mark.parametrize("tail", TAILS)
def test_a_file_has_the_id_of_its_bytes(tmp_path: Path, kind: str, tail: bytes) -> None:
    """Read from a file, the bytes have the same id as in memory, also after a tag in front and before others."""
    content = b"ID3\x04\x00\x00\x00\x00\x00\x05" + bytes(5) + encode(kind) + tail
    path = tmp_path / "file"
    path.write_bytes(content)
    assert track_id(memoryview(content)) == file_track_id(path)


@pytest.mark.parametrize("magic", MAGICS)
def test_a_broken_file_has_the_id_of_its_bytes(tmp_path: Path, magic: bytes) -> None:
    """A file that ends after its first bytes has an id, too; so has an empty one."""
    path = tmp_path / "file"
    path.write_bytes(magic)
    assert track_id(memoryview(magic)) == file_track_id(path)


def test_a_file_that_becomes_shorter(tmp_path: Path) -> None:
    """A file that loses its end while it is read raises an error, and does not kill the process."""
    path = tmp_path / "file"
    path.write_bytes(encode("WAV"))
    with path.open("rb") as file:
        data = FileBytes(file.fileno())
        os.truncate(path, 1_000)
        with pytest.raises(OSError, match="became shorter"):
            track_id(data)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of all reads of files."""
    sizes: list[int] = []
    pread = os.pread

    def counted(descriptor: int, size: int, position: int) -> bytes:
        sizes.append(size)
        return pread(descriptor, size, position)

    monkeypatch.setattr(os, "pread", counted)
    return sizes


def test_empty_pages_are_read_in_blocks(tmp_path: Path, reads: list[int]) -> None:
    """A hostile Ogg file of nothing but empty pages costs one read for many pages, and has the same id as its bytes."""
    data = encode("OGG") + b"".join(
        struct.pack("<4sBBqIIIB", b"OggS", 0, 0, 5, 1, number, 0, 0) for number in range(20_000)
    )
    (tmp_path / "pages.ogg").write_bytes(data)
    assert identify(data) == file_track_id(tmp_path / "pages.ogg")
    assert len(reads) < 300
