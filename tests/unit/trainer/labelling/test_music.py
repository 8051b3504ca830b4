from __future__ import annotations

import os
from pathlib import Path

import pytest

from segue.trainer.errors import DataUnusable
from segue.trainer.labelling.music import list_music


def touch(folder: Path, *names: str) -> None:
    """Creates empty files."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_music_is_found_in_any_layout(tmp_path: Path) -> None:
    """Files are in the order of their paths, at any depth, whatever the case of their endings."""
    touch(tmp_path, "z.flac", "Album/02 b.MP3", "Album/01 a.mp3", "A/B/C/...And.ogg", "feat. Someone")
    files, unreachable = list_music(tmp_path)
    names = [file.path.relative_to(tmp_path).as_posix() for file in files]
    assert ["A/B/C/...And.ogg", "Album/01 a.mp3", "Album/02 b.MP3", "z.flac"] == names
    assert {} == unreachable


def test_files_of_other_kinds_are_ignored(tmp_path: Path) -> None:
    """Covers, resource forks, system folders and named pipes are not opened."""
    touch(tmp_path, "song.wav", "cover.jpg", "._song.wav", ".trash/old.wav", "@eaDir/song.wav", ".DS_Store")
    os.mkfifo(tmp_path / "pipe.mp3")
    files, unreachable = list_music(tmp_path)
    assert [tmp_path / "song.wav"] == [file.path for file in files]
    assert {} == unreachable


def test_a_link_without_target_is_named(tmp_path: Path) -> None:
    """The others go on."""
    touch(tmp_path, "song.wav")
    (tmp_path / "lost.mp3").symlink_to(tmp_path / "nowhere.mp3")
    files, unreachable = list_music(tmp_path)
    assert [tmp_path / "song.wav"] == [file.path for file in files]
    assert {tmp_path / "lost.mp3": "No such file or directory"} == unreachable


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every folder")
def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """The others go on."""
    touch(tmp_path, "song.wav", "private/song.wav")
    (tmp_path / "private").chmod(0)
    files, unreachable = list_music(tmp_path)
    assert [tmp_path / "song.wav"] == [file.path for file in files]
    assert {tmp_path / "private": "Permission denied"} == unreachable


def test_a_folder_without_music_is_refused(tmp_path: Path) -> None:
    """The message names the folder, and the first file that cannot be reached."""
    touch(tmp_path, "cover.jpg")
    with pytest.raises(DataUnusable, match=f"There is no music in {tmp_path}. "):
        list_music(tmp_path)
    (tmp_path / "lost.mp3").symlink_to(tmp_path / "nowhere.mp3")
    with pytest.raises(DataUnusable, match=r"lost\.mp3: No such file"):
        list_music(tmp_path)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    """A file and a missing folder have the same message."""
    touch(tmp_path, "song.wav")
    for path in (tmp_path / "song.wav", tmp_path / "nowhere"):
        with pytest.raises(DataUnusable, match="is not a folder"):
            list_music(path)
