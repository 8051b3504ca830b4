"""Of a file and the links to it, the file is found, under its own path."""

from __future__ import annotations

from pathlib import Path

import pytest

from segue.indexer.pipeline.left_out import LeftOut
from segue.indexer.pipeline.scan import find_music


def touch(path: Path) -> Path:
    """Creates an empty file in new folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def link(path: Path, target: Path) -> Path:
    """Creates a link in new folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)
    return path


@pytest.mark.parametrize("folder", ["a", "z"])
def test_a_link_into_the_folder_is_left_out(tmp_path: Path, folder: str) -> None:
    """Whichever comes first in the walk, a song and an album are found under their own paths, and only there."""
    song, other = touch(tmp_path / "m/songs/1.mp3"), touch(tmp_path / "m/songs/2.mp3")
    link(tmp_path / "m" / folder / "favourite.mp3", song)
    link(tmp_path / "m" / folder / "album", tmp_path / "m/songs")
    left_out = LeftOut()

    assert [song, other] == list(find_music([tmp_path / "m"], left_out))
    assert LeftOut(linked=2) == left_out


def test_a_link_out_of_the_folder_is_followed(tmp_path: Path) -> None:
    """The target has no other path here; of several links to it, the first is taken."""
    song, album = touch(tmp_path / "disk/song.mp3"), touch(tmp_path / "disk/album/1.mp3")
    links = [link(tmp_path / "m" / name, song) for name in ("1.mp3", "2.mp3")]
    folders = [link(tmp_path / "m" / name, album.parent) for name in ("3", "4")]
    left_out = LeftOut()

    assert [links[0], folders[0] / "1.mp3"] == list(find_music([tmp_path / "m"], left_out))
    assert LeftOut(linked=2) == left_out


def test_a_link_to_what_the_walk_leaves_out_is_followed(tmp_path: Path) -> None:
    """The target has no ending of music, or lies in a system folder: without its link it would be lost."""
    targets = touch(tmp_path / "song.data"), touch(tmp_path / "#recycle/song.mp3"), touch(tmp_path / ".cache/x/1.mp3")
    links = [link(tmp_path / f"a/{number}.mp3", target) for number, target in enumerate(targets)]
    album = link(tmp_path / "b", targets[2].parent) / "1.mp3"

    assert {*links, album} == set(find_music([tmp_path]))


def test_the_folder_that_is_named_may_be_a_link(tmp_path: Path) -> None:
    """Its music has the path that the user named, and links within it are links into it."""
    song = touch(tmp_path / "disk/songs/1.mp3")
    link(tmp_path / "disk/favourite.mp3", song)
    named = link(tmp_path / "music", tmp_path / "disk")

    assert [named / "songs/1.mp3"] == list(find_music([named]))
    assert [named / "songs/1.mp3"] == list(find_music([named, tmp_path / "disk"]))


def test_a_link_that_is_named_is_taken(tmp_path: Path) -> None:
    """It is indexed under the name that the user gave, although its target is found, too."""
    song = touch(tmp_path / "1.mp3")
    named = link(tmp_path / "2.mp3", song)

    left_out = LeftOut()

    assert [song, named] == list(find_music([tmp_path, named], left_out))
    assert LeftOut() == left_out


def test_copies_and_hard_links_are_files(tmp_path: Path) -> None:
    """None of them is the original; all are found, and share one track by their audio."""
    song = touch(tmp_path / "1.mp3")
    (tmp_path / "2.mp3").hardlink_to(song)

    assert [song, tmp_path / "2.mp3"] == list(find_music([tmp_path]))
