"""Every field of a track is read from tags of every kind, and hostile values are cut."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import pytest

from segue.core.testing.synthetic_clips import render_clip
from segue.indexer.pipeline.records import Tags
from segue.indexer.pipeline.tags import read_tags
from tests.helpers.audio import encode, encode_by_ffmpeg, needs_ffmpeg
from tests.helpers.tag_bytes import apev2, container, frame, id3, info

CLIP = render_clip(1, 0.5)
MP3 = encode(CLIP, container="MP3", subtype="MPEG_LAYER_III")
RECORDING, RELEASE, FIRST, SECOND = (f"{digit * 8}-{digit * 4}-4000-8000-{digit * 12}" for digit in "1aBc")
ALL = Tags(
    title="Title",
    artist="First",
    album="Album",
    genre="Jazz",
    year="1959",
    artists=("First", "Second/Third"),
    genres=("Jazz", "Blues"),
    album_artist="Various",
    track_number=3,
    disc_number=2,
    isrc="USRC17607839",
    musicbrainz_recording_id=RECORDING,
    musicbrainz_release_id=RELEASE,
    musicbrainz_artist_ids=(FIRST.lower(), SECOND),
)


def tags_of(folder: Path, data: bytes) -> Tags:
    """Returns the tags of a file with these bytes."""
    path = folder / "clip"
    path.write_bytes(data)
    return read_tags(path)


def id3_of_all(version: int, names: dict[str, bytes]) -> bytes:
    """Returns an ID3 tag with all fields."""
    texts = {
        "title": b"Title",
        "artists": b"First\0Second/Third",
        "album": b"Album",
        "genres": b"8\0Blues",
        "year": b"1959",
        "album_artist": b"Various",
        "track": b"03/12",
        "disc": b"2/2",
        "isrc": b"US-RC1-76-07839",
    }
    custom = {b"MusicBrainz Album Id": RELEASE, b"MusicBrainz Artist Id": f"{FIRST}/{SECOND}"}
    frames = [frame(names[name], b"\0" + text, version=version) for name, text in texts.items()]
    frames += [
        frame(names["custom"], b"\0" + key + b"\0" + value.encode(), version=version) for key, value in custom.items()
    ]
    owners = b"http://www.id3.org\0other", b"http://musicbrainz.org\0" + RECORDING.encode()
    frames += [frame(names["id"], body, version=version) for body in owners]
    return id3(*frames, version=version)


NAMES = {
    "title": b"TIT2",
    "artists": b"TPE1",
    "album": b"TALB",
    "genres": b"TCON",
    "year": b"TYER",
    "album_artist": b"TPE2",
    "track": b"TRCK",
    "disc": b"TPOS",
    "isrc": b"TSRC",
    "custom": b"TXXX",
    "id": b"UFID",
}
NAMES_OF_2 = {
    "title": b"TT2",
    "artists": b"TP1",
    "album": b"TAL",
    "genres": b"TCO",
    "year": b"TYE",
    "album_artist": b"TP2",
    "track": b"TRK",
    "disc": b"TPA",
    "isrc": b"TRC",
    "custom": b"TXX",
    "id": b"UFI",
}


@pytest.mark.parametrize(("version", "names"), [(2, NAMES_OF_2), (3, NAMES), (4, NAMES)])
def test_id3(tmp_path: Path, version: int, names: dict[str, bytes]) -> None:
    """Values are separated by NUL, never by a slash, which some names have."""
    assert ALL == tags_of(tmp_path, id3_of_all(version, names) + MP3)


def test_values_in_utf16_have_no_byte_order_mark(tmp_path: Path) -> None:
    """Some programs write one before each value."""
    texts = b"\1" + b"".join(text.encode("utf-16") + bytes(2) for text in ("Zoë", "Émile"))

    assert ("Zoë", "Émile") == tags_of(tmp_path, id3(frame(b"TPE1", texts)) + MP3).artists


COMMENTS = [
    ("TITLE", "Title"),
    ("artist", "First"),
    ("ARTIST", "Second/Third"),
    ("ALBUM", "Album"),
    ("GENRE", "Jazz"),
    ("GENRE", "Blues"),
    ("DATE", "1959-08-17"),
    ("ALBUMARTIST", "Various"),
    ("TRACKNUMBER", "03/12"),
    ("DISCNUMBER", "2"),
    ("ISRC", "usrc17607839"),
    ("MUSICBRAINZ_TRACKID", RECORDING),
    ("MUSICBRAINZ_ALBUMID", RELEASE),
    ("MUSICBRAINZ_ARTISTID", FIRST),
    ("MUSICBRAINZ_ARTISTID", SECOND),
]


def flac(comments: list[tuple[str, str]]) -> bytes:
    """Returns a FLAC file with these Vorbis comments."""
    texts = [f"{key}={value}".encode() for key, value in comments]
    body = bytes(4) + struct.pack("<I", len(texts)) + b"".join(struct.pack("<I", len(text)) + text for text in texts)
    whole = encode(CLIP, container="FLAC")
    return whole[:42] + b"\4" + len(body).to_bytes(3, "big") + body + whole[42:]


def test_vorbis_comments(tmp_path: Path) -> None:
    """Comments may come several times."""
    assert ALL == tags_of(tmp_path, flac(COMMENTS))


def test_an_artist_who_is_several_is_left_out(tmp_path: Path) -> None:
    """Programs write the artists as one text, and one by one in ARTISTS."""
    comments = [("ARTIST", "A feat. B"), ("ARTISTS", "A"), ("ARTISTS", "B")]
    tags = tags_of(tmp_path, flac(comments))

    assert ("A feat. B", ("A", "B")) == (tags.artist, tags.artists)


def test_apev2(tmp_path: Path) -> None:
    """Values are separated by NUL, and keys have blanks."""
    items = {
        "Title": "Title",
        "Artist": "First\0Second/Third",
        "Album": "Album",
        "Genre": "Jazz\0Blues",
        "Year": "1959",
        "Album Artist": "Various",
        "Track": "3/12",
        "Disc": "2/2",
        "ISRC": "USRC17607839",
        "MUSICBRAINZ_TRACKID": RECORDING,
        "MUSICBRAINZ_ALBUMID": RELEASE,
        "MUSICBRAINZ_ARTISTID": f"{FIRST}\0{SECOND}",
    }
    assert ALL == tags_of(tmp_path, MP3 + apev2(items))


def test_info_of_a_wav_file(tmp_path: Path) -> None:
    """The chunk ISRC may also name a source, which is no code."""
    wav = encode(CLIP)[12:]
    tags = tags_of(tmp_path, container(b"RIFF", b"WAVE", info(INAM=b"Title", ITRK=b"3/12", ISRC=b"USRC17607839"), wav))
    assert ("Title", 3, "USRC17607839") == (tags.title, tags.track_number, tags.isrc)

    assert not tags_of(tmp_path, container(b"RIFF", b"WAVE", info(ISRC=b"Some studio"), wav)).isrc


@needs_ffmpeg
@pytest.mark.parametrize(("name", "recording"), [("clip.m4a", ""), ("clip.mka", RECORDING), ("clip.wma", RECORDING)])
def test_containers_of_ffmpeg(tmp_path: Path, name: str, recording: str) -> None:
    """The fields of other containers are read. To MP4, ffmpeg itself writes no ids."""
    texts = {
        "title": "Title",
        "artist": "First",
        "album": "Album",
        "genre": "Jazz",
        "date": "1959",
        "album_artist": "Various",
        "track": "3",
        "disc": "2",
        "MUSICBRAINZ_TRACKID": RECORDING,
    }
    options = [option for key, value in texts.items() for option in ("-metadata", f"{key}={value}")]
    tags = read_tags(encode_by_ffmpeg(CLIP, 22_050, tmp_path / name, *options))
    one_value = replace(ALL, artists=("First",), genres=("Jazz",), musicbrainz_artist_ids=())

    assert replace(one_value, isrc="", musicbrainz_recording_id=recording, musicbrainz_release_id="") == tags


def test_itunes_ids(tmp_path: Path) -> None:
    """MP4 has the ids in atoms of its own, one for each key."""
    atoms = {"MusicBrainz Track Id": [RECORDING], "MusicBrainz Artist Id": [FIRST, SECOND], "ISRC": ["USRC17607839"]}
    ilst = box(b"ilst", b"".join(freeform(key, values) for key, values in atoms.items()))
    moov = box(b"moov", box(b"udta", box(b"meta", bytes(4) + ilst)))
    tags = tags_of(tmp_path, box(b"ftyp", b"M4A \0\0\0\0") + moov)

    assert (RECORDING, "USRC17607839") == (tags.musicbrainz_recording_id, tags.isrc)
    assert (FIRST.lower(), SECOND) == tags.musicbrainz_artist_ids


def box(name: bytes, body: bytes) -> bytes:
    """Returns an atom of MP4."""
    return struct.pack(">I", len(body) + 8) + name + body


def freeform(key: str, values: list[str]) -> bytes:
    """Returns an atom with a key of any name."""
    head = box(b"mean", bytes(4) + b"com.apple.iTunes") + box(b"name", bytes(4) + key.encode())
    return box(b"----", head + b"".join(box(b"data", struct.pack(">II", 1, 0) + value.encode()) for value in values))


def test_hostile_values_are_cut(tmp_path: Path) -> None:
    """However long and many the values are, a track stays small, and none of its fields is invalid."""
    many = [("ARTIST", f"{number} " + "x" * 1_000) for number in range(100)]
    wrong = [("TRACKNUMBER", "9" * 100), ("DISCNUMBER", "-1"), ("ISRC", "x" * 12), ("MUSICBRAINZ_TRACKID", "<script>")]
    tags = tags_of(tmp_path, flac([*many, *wrong]))

    assert (32, {500}) == (len(tags.artists), {len(artist) for artist in tags.artists})
    assert (0, 0, "", "") == (tags.track_number, tags.disc_number, tags.isrc, tags.musicbrainz_recording_id)
