"""Title and artist are read from tags of every kind, whole or damaged."""

from __future__ import annotations

import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from segue.core.testing.synthetic_clips import render_clip
from segue.indexer.pipeline.records import Tags
from segue.indexer.pipeline.tag_formats.apev2 import read_apev2
from segue.indexer.pipeline.tag_formats.chunks import read_chunks
from segue.indexer.pipeline.tag_formats.fields import FIELDS
from segue.indexer.pipeline.tag_formats.id3 import read_id3v1, read_id3v2
from segue.indexer.pipeline.tags import read_tags
from tests.helpers.audio import encode, encode_by_ffmpeg, needs_ffmpeg
from tests.helpers.tag_bytes import apev2, chunk, container, frame, id3, id3v1, info, synchsafe, utf16

CLIP = render_clip(1, 0.5)
MP3 = encode(CLIP, container="MP3", subtype="MPEG_LAYER_III")
WAV_CHUNKS = encode(CLIP)[12:]
AIFF_CHUNKS = encode(CLIP, container="AIFF")[12:]

TITLE, ARTIST = frame(b"TIT2", b"\0Title"), frame(b"TPE1", b"\0Artist")
BOTH = TITLE + ARTIST
BOTH_2 = frame(b"TT2", b"\0Title", version=2) + frame(b"TP1", b"\0Artist", version=2)
BOTH_4 = frame(b"TIT2", b"\3Title", version=4) + frame(b"TPE1", b"\3Artist", version=4)
BROKEN = frame(b"SYLT", b"\0eng")
APE = {"Title": "Title", "Artist": "Artist"}
FOOTER = b"3DI\4\0\x10" + synchsafe(len(BOTH_4))


def read(folder: Path, data: bytes) -> tuple[str, str]:
    """Returns title and artist of a file with these bytes."""
    path = folder / "clip"
    path.write_bytes(data)
    tags = read_tags(path)
    return tags.title, tags.artist


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(id3(BOTH_2, version=2) + MP3, id="version-2"),
        pytest.param(id3(BOTH) + MP3, id="version-3"),
        pytest.param(id3(BOTH_4, version=4) + MP3, id="version-4"),
        pytest.param(id3(frame(b"TIT2", utf16("Title") + b"\0"), ARTIST) + MP3, id="utf16-of-odd-length"),
        pytest.param(id3(struct.pack(">IHI", 6, 0, 0), BOTH, flags=0x40) + MP3, id="extended-header-3"),
        pytest.param(id3(synchsafe(6), b"\1\0", BOTH_4, version=4, flags=0x40) + MP3, id="extended-header-4"),
        pytest.param(id3(BOTH_4, version=4, flags=0x10) + FOOTER + MP3, id="footer"),
        pytest.param(MP3 + id3(BOTH_4, version=4, flags=0x10) + FOOTER, id="footer-at-the-end"),
        pytest.param(
            id3(frame(b"TIT2", synchsafe(6) + b"\3Title", version=4, flags=1), ARTIST, version=4) + MP3,
            id="data-length",
        ),
        pytest.param(MP3 + id3v1(b"Title", b"Artist"), id="id3v1-only"),
        pytest.param(id3(frame(b"TXXX", b"\0a\0b")) + id3(BOTH) + MP3, id="two-tags"),
        pytest.param(
            b"DSD " + struct.pack("<3Q", 28, 128, 28) + id3(BOTH),
            id="dsf",
        ),
    ],
)
def test_id3_in_its_forms(tmp_path: Path, data: bytes) -> None:
    """Every version, encoding and place of an ID3 tag is read."""
    assert ("Title", "Artist") == read(tmp_path, data)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(id3(BROKEN, BOTH) + MP3, id="lyrics"),
        pytest.param(id3(frame(b"\0\0\0\1", b"abc"), BOTH) + MP3, id="name"),
        pytest.param(id3(ARTIST, frame(b"TIT2", b"\0Title", size=9_999)) + MP3, id="too-long"),
        pytest.param(id3(frame(b"TIT2", b"\0Title", size=9_999), ARTIST) + MP3, id="too-long-before-another"),
        pytest.param(id3(frame(b"TALB", b"\0" + b"x" * 50, size=20), BOTH) + MP3, id="too-short"),
        pytest.param(id3(frame(b"TIT2", b""), frame(b"TIT2", b"\0"), BOTH) + MP3, id="empty"),
        pytest.param(id3(frame(b"TALB", b"\0x", flags=0x80), BOTH) + MP3, id="compressed"),
        pytest.param(container(b"RIFF", b"WAVE", WAV_CHUNKS, chunk(b"id3 ", id3(BROKEN, BOTH))), id="wav"),
        pytest.param(container(b"FORM", b"AIFF", AIFF_CHUNKS, chunk(b"ID3 ", id3(BROKEN, BOTH), ">")), id="aiff"),
        pytest.param(id3(BROKEN, BOTH) + encode(CLIP, container="FLAC"), id="flac"),
    ],
)
def test_a_broken_frame_costs_only_itself(tmp_path: Path, data: bytes) -> None:
    """The frames after a broken one are read."""
    assert ("Title", "Artist") == read(tmp_path, data)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(id3(BOTH, size=20) + MP3, id="tag-too-small"),
        pytest.param(id3(BOTH, size=0) + MP3, id="tag-empty"),
        pytest.param(id3(BOTH, size=2**27) + MP3, id="tag-too-large"),
        pytest.param(id3(BOTH) + bytes(5_000) + MP3, id="padding-after-the-tag"),
        pytest.param(bytes(500) + id3(BOTH) + MP3, id="padding-before-the-tag"),
        pytest.param(b"junk!" * 77 + id3(BOTH) + MP3, id="junk-before-the-tag"),
        pytest.param(bytes(500) + MP3 + id3v1(b"Title", b"Artist"), id="padding-before-the-audio"),
    ],
)
def test_a_wrong_size_loses_no_tag(tmp_path: Path, data: bytes) -> None:
    """Tags are read although their size is wrong, or bytes come before them."""
    assert ("Title", "Artist") == read(tmp_path, data)


@pytest.mark.parametrize(
    ("tag_version", "size_version", "padding"), [(3, 3, 2_000), (4, 4, 2_000), (4, 3, 2_000), (3, 4, 0)]
)
def test_sizes_of_frames_have_seven_or_eight_bits_a_byte(
    tmp_path: Path, tag_version: int, size_version: int, padding: int
) -> None:
    """Programs confuse the sizes of version 3 and version 4."""
    album = frame(b"TALB", b"\0" + b"x" * 299, version=size_version)
    (tmp_path / "clip").write_bytes(id3(album, BOTH, bytes(padding), version=tag_version) + MP3)

    assert Tags("Title", "Artist", "x" * 299, artists=("Artist",)) == read_tags(tmp_path / "clip")


def test_unsynchronised_tags(tmp_path: Path) -> None:
    """Zeros that were inserted after 0xFF are removed, in the whole tag or in one frame."""
    inserted = utf16("Title").replace(b"\xff", b"\xff\0")
    whole = id3(frame(b"TIT2", inserted, size=len(inserted) - 1), ARTIST, flags=0x80)
    one_frame = id3(frame(b"TIT2", inserted, version=4, flags=2), BOTH_4, version=4)

    assert ("Title", "Artist") == read(tmp_path, whole + MP3)
    assert ("Title", "Artist") == read(tmp_path, one_frame + MP3)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(MP3 + apev2(APE), id="at-the-end"),
        pytest.param(apev2(APE) + MP3, id="in-front"),
        pytest.param(MP3 + apev2(APE, has_header=False), id="without-header"),
        pytest.param(MP3 + apev2({"TITLE": "Title", "artist": "Artist\0Another"}), id="any-case-and-several-values"),
        pytest.param(MP3 + apev2(APE) + id3v1(b"Ti", b"Ar"), id="before-id3v1"),
        pytest.param(MP3 + apev2(APE) + b"LYRICSBEGIN000011LYRICS200" + id3v1(b"", b""), id="before-lyrics"),
    ],
)
def test_apev2(tmp_path: Path, data: bytes) -> None:
    """APEv2 tags are read wherever they are, and before the short ones of ID3v1."""
    assert ("Title", "Artist") == read(tmp_path, data)


def test_of_two_kinds_of_tags_each_gives_what_the_other_lacks(tmp_path: Path) -> None:
    """ID3v2 comes before APEv2, and APEv2 before ID3v1, field by field."""
    assert ("Title", "Artist") == read(tmp_path, id3(TITLE) + MP3 + apev2({"Title": "Another", "Artist": "Artist"}))
    assert ("Title", "Artist") == read(tmp_path, MP3 + apev2({"Title": "Title"}) + id3v1(b"Another", b"Artist"))


def test_text_chunks_of_wav_and_aiff(tmp_path: Path) -> None:
    """Chunks are UTF-8 or Latin-1, padded to an even length or not."""
    latin1 = info(INAM="Café".encode("latin-1"), IART="Zoë".encode())
    unpadded = chunk(b"LIST", b"INFOINAM\5\0\0\0TitleIART\6\0\0\0Artist")
    aiff = chunk(b"NAME", b"Caf\xe9", ">") + chunk(b"AUTH", b"Artist", ">")

    assert ("Café", "Zoë") == read(tmp_path, container(b"RIFF", b"WAVE", latin1, WAV_CHUNKS))
    assert ("Title", "Artist") == read(tmp_path, container(b"RIFF", b"WAVE", WAV_CHUNKS, unpadded))
    assert ("Café", "Artist") == read(tmp_path, container(b"FORM", b"AIFF", aiff, AIFF_CHUNKS))


def test_id3_of_a_wav_file_has_the_last_word(tmp_path: Path) -> None:
    """Programs write question marks to INFO for letters that it lacks."""
    tag = id3(frame(b"TIT2", utf16("大哉乾元")), frame(b"TPE1", utf16("洛天依")))
    chunks = info(INAM=b"????", IART=b"???"), WAV_CHUNKS, chunk(b"id3 ", tag)

    assert ("大哉乾元", "洛天依") == read(tmp_path, container(b"RIFF", b"WAVE", *chunks))


def test_all_fields_of_id3_and_apev2(tmp_path: Path) -> None:
    """Album, genre and year are read, too, and a genre by its number."""
    path, expected = tmp_path / "clip", Tags("Title", "Artist", "Album", "Country", "1959", ("Artist",), ("Country",))
    texts = {b"TALB": b"Album", b"TCON": b"(2)", b"TDRC": b"1959-08-17"}
    path.write_bytes(id3(BOTH, *(frame(name, b"\0" + text) for name, text in texts.items())) + MP3)
    assert expected == read_tags(path)

    path.write_bytes(MP3 + apev2({**APE, "Album": "Album", "Genre": "Country", "Date": "1959"}))
    assert expected == read_tags(path)


@needs_ffmpeg
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("clip.mka", ("-c:a", "flac")),
        ("clip.webm", ("-c:a", "libopus", "-ar", "48000")),
        ("clip.wma", ()),
        ("clip.m4a", ()),
        ("clip.mov", ("-c:a", "aac")),
        ("clip.wv", ()),
        ("clip.tta", ()),
        ("clip.aac", ("-write_id3v2", "1")),
        ("clip.flac", ()),
        ("clip.ogg", ("-c:a", "libvorbis")),
        ("clip.opus", ("-ar", "48000")),
        ("clip.oga", ("-c:a", "flac")),
        ("clip.aiff", ("-write_id3v2", "1")),
        ("clip.caf", ()),
        ("long.wav", ("-rf64", "always")),
    ],
)
def test_tags_of_containers(tmp_path: Path, name: str, options: tuple[str, ...]) -> None:
    """The tags of other containers are read, with tinytag, libsndfile or ffprobe."""
    texts = ("-metadata", "title=Title", "-metadata", "artist=Artist")
    tags = read_tags(encode_by_ffmpeg(CLIP, 22_050, tmp_path / name, *options, *texts))

    assert ("Title", "Artist") == (tags.title, tags.artist)


@pytest.mark.parametrize("kind", ["id3", "apev2", "flac"])
def test_covers_are_not_loaded(tmp_path: Path, kind: str) -> None:
    """A cover of 10 MB before the title takes no memory."""
    cover = bytes(10_000_000)
    flac = encode(CLIP, container="FLAC")
    comment = b"\0\0\0\0\2\0\0\0\x0b\0\0\0TITLE=Title\x0d\0\0\0ARTIST=Artist"
    files = {
        "id3": id3(frame(b"APIC", b"\0image/png\0\3\0" + cover), BOTH) + MP3,
        "apev2": MP3 + apev2({"Cover Art (Front)": cover.decode(), **APE}),
        "flac": flac[:42] + _flac_picture(cover) + b"\4" + len(comment).to_bytes(3, "big") + comment + flac[42:],
    }
    path = tmp_path / "clip"
    path.write_bytes(files[kind])
    tracemalloc.start()
    tags = read_tags(path)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert ("Title", "Artist") == (tags.title, tags.artist)
    assert peak_bytes < 1_000_000


def _flac_picture(data: bytes) -> bytes:
    body = struct.pack(">II", 3, 9) + b"image/png" + struct.pack(">6I", 0, 1, 1, 24, 0, len(data)) + data
    return b"\6" + len(body).to_bytes(3, "big") + body


def test_hostile_bytes_raise_nothing() -> None:
    """Whatever bytes replace others, the readers return what is left."""
    rng = np.random.default_rng(0)
    tags = id3(BROKEN, BOTH), id3(BOTH_2, version=2), id3(BOTH_4, version=4, flags=0x40), container(b"RIFF", b"WAVE")
    for round_ in range(2_000):
        data = bytearray(tags[round_ % len(tags)] + info(INAM=b"Title") + MP3[:50] + apev2(APE) + id3v1(b"a", b"b"))
        for position in rng.integers(0, len(data), 1 + round_ % 7):
            data[position] = rng.choice([0, 0x7F, 0x80, 0xFF])
        for reader in (read_id3v2, read_id3v1, read_apev2, read_chunks):
            assert FIELDS.issuperset(reader(memoryview(data)))


def test_a_file_that_is_gone_or_empty_has_no_tags(tmp_path: Path) -> None:
    """It has failed already, or will."""
    (tmp_path / "empty").touch()

    assert Tags() == read_tags(tmp_path / "empty") == read_tags(tmp_path / "gone")


@pytest.mark.parametrize(
    ("data", "is_started"),
    [
        pytest.param(MP3, False, id="mp3"),
        pytest.param(id3(frame(b"TXXX", b"\0a\0b")) + MP3, False, id="id3"),
        pytest.param(encode(CLIP), False, id="wav"),
        pytest.param(encode(CLIP, container="FLAC"), False, id="flac"),
        pytest.param(encode(CLIP, container="AU"), False, id="au"),
        pytest.param(b"\x1a\x45\xdf\xa3" + bytes(100), True, id="matroska"),
    ],
)
def test_ffprobe_is_started_only_for_other_containers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes, is_started: bool
) -> None:
    """A process for each file would be slow, so files of the usual kinds start none, even if they have no tags."""
    program, trace = tmp_path / "ffprobe", tmp_path / "started"
    program.write_text(f"#!/bin/sh\necho > {trace}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert ("", "") == read(tmp_path, data)
    assert is_started == trace.exists()
