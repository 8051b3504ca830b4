"""Playlists have what players need, whatever the tags and the names of the files."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from google.protobuf.duration_pb2 import Duration

from segue.client.cli.main import main
from segue.client.cli.playlist import write_m3u, write_playlist
from segue.v1.track_pb2 import Track


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
def test_music_is_not_overwritten(name: str) -> None:
    """A file of another ending is refused before anything is sent."""
    ended = CliRunner().invoke(main, ["recommend", "0" * 32, "--m3u", name])
    assert (2, True) == (ended.exit_code, "does not end in .m3u or .m3u8" in ended.output)
