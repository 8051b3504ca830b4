from __future__ import annotations

from pathlib import Path

import pytest

from segue.indexer.pipeline.scan import find_music
from segue.indexer.watching.folders import WatchedFolders


@pytest.fixture
def folders(tmp_path: Path) -> WatchedFolders:
    """A folder that is named by a link."""
    (tmp_path / "real" / "album").mkdir(parents=True)
    (tmp_path / "music").symlink_to(tmp_path / "real")
    folders = WatchedFolders([tmp_path / "music"])
    assert folders.refresh()
    return folders


def test_the_path_is_that_of_a_walk(folders: WatchedFolders, tmp_path: Path) -> None:
    """A path without links becomes the one that a walk finds, also if the file is missing."""
    assert tmp_path / "music" / "a.flac" == folders.place(tmp_path / "real" / "a.flac")
    assert folders.place(tmp_path / "elsewhere" / "a.flac") is None
    assert folders.place(tmp_path / "real" / "@eaDir" / "a.flac") is None


def test_links(folders: WatchedFolders, tmp_path: Path) -> None:
    """A link to what a walk finds anyway is left out; one that leads elsewhere is music."""
    real, other = tmp_path / "real", tmp_path / "other"
    other.mkdir()
    for path in (real / "album" / "a.flac", other / "b.flac"):
        path.touch()
    (real / "same").symlink_to(real / "album")
    (real / "other").symlink_to(other)
    (real / "same.flac").symlink_to(real / "album" / "a.flac")
    assert [] == [*folders.music_at(real / "same"), *folders.music_at(real / "same.flac")]
    assert [tmp_path / "music" / "other" / "b.flac"] == list(folders.music_at(real / "other"))
    assert 2 == len(list(folders.music_at(real)))


def test_a_folder_that_goes_and_comes_back(folders: WatchedFolders, tmp_path: Path) -> None:
    """It is noticed, also when another folder took its place between two looks."""
    assert (False, True) == (folders.refresh(), folders.is_unchanged())
    (tmp_path / "real").rename(tmp_path / "away")
    assert not folders.is_unchanged()
    assert (True, [], [tmp_path / "music"]) == (folders.refresh(), folders.present, folders.away)
    (tmp_path / "real").mkdir()
    assert (True, [tmp_path / "music"]) == (folders.refresh(), folders.present)
    (tmp_path / "real").rmdir()
    (tmp_path / "away").rename(tmp_path / "real")
    assert (True, False) == (folders.refresh(), folders.refresh())


def test_a_folder_without_music(folders: WatchedFolders, tmp_path: Path) -> None:
    """It holds no file, or only others."""
    (tmp_path / "real" / "cover.jpg").touch()
    assert [tmp_path / "music"] == folders.without_music()
    (tmp_path / "real" / "album" / "a.flac").touch()
    assert [] == folders.without_music()


def test_a_place_that_cannot_be_read(folders: WatchedFolders, tmp_path: Path) -> None:
    """It is no folder, and no error: here, no file system accepts the name."""
    name = "a" * 300
    assert [tmp_path / "music" / name] == list(folders.music_at(tmp_path / "real" / name))
    assert [tmp_path / name] == list(find_music([tmp_path / name]))


def test_two_names_of_one_folder(tmp_path: Path) -> None:
    """The first counts, as in a walk."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    folders = WatchedFolders([tmp_path / "link", tmp_path / "real"])
    folders.refresh()
    assert tmp_path / "link" / "a.flac" == folders.place(tmp_path / "real" / "a.flac")
