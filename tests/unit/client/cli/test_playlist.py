"""Playlists have what players need, whatever the tags and the names of the files."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit
from xml.etree import ElementTree

import click
import pytest
from click.testing import CliRunner
from google.protobuf.duration_pb2 import Duration

from segue.client.cli.main import main
from segue.client.cli.playlist import write_m3u, write_playlist
from segue.core.catalogue.display_path import display_path
from segue.v1.track_pb2 import Track
from tests.helpers.clips import wav

XSPF = "{http://xspf.org/ns/0/}"


def track(path: str, title: str = "Title", artist: str = "", raw_path: bytes = b"") -> Track:
    """A track of 200.6 s."""
    duration = Duration(seconds=200, nanos=600_000_000)
    return Track(path=path, title=title, artist=artist, raw_path=raw_path, duration=duration)


def test_a_playlist(tmp_path: Path) -> None:
    """Paths are relative to the playlist, in it or elsewhere."""
    file = tmp_path / "lists" / "mix.m3u8"
    file.parent.mkdir()
    tracks = [track(f"{tmp_path}/music/a.flac", "Jóga", "Björk"), track(f"{tmp_path}/lists/b.mp3")]
    assert 0 == write_m3u(file, tracks)
    expected = "#EXTM3U\n#EXTINF:201,Björk - Jóga\n../music/a.flac\n#EXTINF:201,Title\nb.mp3\n"
    assert expected == file.read_text(encoding="utf-8")


def test_odd_names(tmp_path: Path) -> None:
    """A name that looks like a comment stays a path, other bytes stay as they are, and line breaks are left out."""
    file = tmp_path / "mix.m3u8"
    tracks = [
        track(f"{tmp_path}/#1.mp3", "two\nlines"),
        track(f"{tmp_path}/caf\\xe9.mp3", raw_path=bytes(tmp_path) + b"/caf\xe9.mp3"),
        track(f"{tmp_path}/line\nbreak.mp3"),
    ]
    assert 1 == write_m3u(file, tracks)
    lines = file.read_bytes().split(b"\n")
    assert [b"./#1.mp3", b"caf\xe9.mp3"] == lines[2::2]
    assert "two\ufffdlines" in lines[1].decode()


def test_no_tracks(tmp_path: Path) -> None:
    """A playlist without tracks is a valid file."""
    write_m3u(tmp_path / "mix.m3u8", [])
    assert "#EXTM3U\n" == (tmp_path / "mix.m3u8").read_text()


def test_a_folder_behind_a_link(tmp_path: Path) -> None:
    """Paths are relative to the folder that the link leads to, from which players follow them."""
    (tmp_path / "disk" / "deep").mkdir(parents=True)
    (tmp_path / "lists").symlink_to("disk/deep")
    write_m3u(tmp_path / "lists" / "mix.m3u8", [track(f"{tmp_path}/music/a.mp3")])
    assert "../../music/a.mp3" == (tmp_path / "disk" / "deep" / "mix.m3u8").read_text().splitlines()[2]


def test_a_playlist_that_cannot_be_written(tmp_path: Path) -> None:
    """The error names the file."""
    with pytest.raises(click.FileError, match="No such file") as raised:
        write_playlist(tmp_path / "none" / "mix.m3u", [])
    assert f"{tmp_path}/none/mix.m3u" in raised.value.format_message()


@pytest.mark.parametrize("name", ["song.flac", "-", "mix"])
@pytest.mark.parametrize(
    "command",
    [["recommend", "0" * 32, "--m3u"], ["recommend", "0" * 32, "--out"], ["playlist", "--from", "0", "--out"]],
)
def test_music_is_not_overwritten(name: str, command: list[str]) -> None:
    """A file of another ending is refused before anything is sent."""
    ended = CliRunner().invoke(main, [*command, name])
    assert (2, True) == (ended.exit_code, "does not end in .m3u, .m3u8 or .xspf" in ended.output)


def elements(file: Path) -> list[dict[str, str]]:
    """Reads the tracks of an XSPF file, by the names of their elements."""
    root = ElementTree.parse(file).getroot()  # noqa: S314 - our own file
    assert (f"{XSPF}playlist", "1") == (root.tag, root.get("version"))
    assert [f"{XSPF}title", f"{XSPF}trackList"] == [child.tag for child in root]
    return [{field.tag.removeprefix(XSPF): field.text or "" for field in track} for track in root[1]]


def test_an_xspf_playlist(tmp_path: Path) -> None:
    """A playlist in XSPF has absolute locations, and what is known of each track."""
    file = tmp_path / "R&B <mix>.xspf"
    first = track(f"{tmp_path}/music/100% Jóga.flac", "Jóga & <co>", "Björk")
    first.album, first.track_number = "Homogenic", 2
    write_playlist(file, [first, track("music/b.mp3", "")])
    location = f"file://{tmp_path}/music/100%25%20J%C3%B3ga.flac"
    tags = {"title": "Jóga & <co>", "creator": "Björk", "album": "Homogenic", "trackNum": "2", "duration": "200600"}
    assert [{"location": location, **tags}, {"location": "music/b.mp3", "duration": "200600"}] == elements(file)
    assert "<title>R&amp;B &lt;mix&gt;</title>" in file.read_text(encoding="utf-8")


def test_odd_names_in_xspf(tmp_path: Path) -> None:
    """Every byte of a path is kept, and characters that XML has not are replaced."""
    file = tmp_path / "mix.XSPF"
    raw = bytes(tmp_path) + b"/caf\xe9\n#1.mp3"
    write_playlist(file, [track(f"{tmp_path}/caf\\xe9.mp3", "a\0b\x1b\uffff", raw_path=raw)])
    (only,) = elements(file)
    assert (raw, "a\ufffdb\ufffd\ufffd") == (unquote_to_bytes(only["location"].removeprefix("file://")), only["title"])
    write_playlist(file, [])
    assert [] == elements(file)


@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="ffprobe is not on the PATH")
def test_players_find_the_files(tmp_path: Path) -> None:
    """Each entry leads from the folder of the playlist to a file that ffprobe opens, in both formats."""
    names = [b"plain.wav", b"#1 100%.wav", "Jóga.wav".encode(), b"caf\xe9.wav", b"sub folder/a&b.wav"]
    (tmp_path / "music" / "sub folder").mkdir(parents=True)
    (tmp_path / "lists").mkdir()
    paths = [bytes(tmp_path) + b"/music/" + name for name in names]
    for path in paths:
        Path(os.fsdecode(path)).write_bytes(wav(3))
    tracks = [track(display_path(Path(os.fsdecode(path))), raw_path=path) for path in paths]
    m3u, xspf = tmp_path / "lists" / "mix.m3u8", tmp_path / "lists" / "mix.xspf"
    for file in (m3u, xspf):
        write_playlist(file, tracks)
    entries = [line for line in m3u.read_bytes().split(b"\n") if line and not line.startswith(b"#")]
    assert all(seconds(bytes(m3u.parent) + b"/" + entry) == 3.0 for entry in entries)
    locations = [unquote_to_bytes(urlsplit(fields["location"]).path) for fields in elements(xspf)]
    assert paths == locations == [os.path.normpath(bytes(m3u.parent) + b"/" + entry) for entry in entries]


def seconds(path: bytes) -> float:
    """Returns the duration of a file by ffprobe."""
    command = [b"ffprobe", b"-v", b"error", b"-show_entries", b"format=duration", b"-of", b"csv=p=0", b"file:" + path]
    return float(subprocess.run(command, check=True, capture_output=True).stdout)
