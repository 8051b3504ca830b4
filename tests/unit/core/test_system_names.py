from __future__ import annotations

import pytest

from segue.core.system_names import is_resource_fork, is_system_folder


@pytest.mark.parametrize(
    "name",
    [
        *("@eaDir", "#recycle", "@Recycle", "$RECYCLE.BIN", "$Recycle.Bin", "System Volume Information", "found.000"),
        *(".Trash", ".Trashes", ".Trash-1000", ".Spotlight-V100", ".fseventsd", ".DocumentRevisions-V100"),
        *(".TemporaryItems", ".AppleDouble", ".AppleDB", "__MACOSX", ".snapshot", ".zfs", "lost+found", ".stversions"),
        ".git",
    ],
)
def test_system_folders_are_recognized(name: str) -> None:
    """Bins, thumbnails, snapshots and system data hold no music of the user."""
    assert is_system_folder(name)


@pytest.mark.parametrize(
    "name",
    ["...And Justice for All", "..Hits", ".hack", ".5", "Recycler", "Trash", ".Trash-Metal", "@", "#1"],
)
def test_albums_are_no_system_folders(name: str) -> None:
    """Titles of albums begin with dots, or with words that also name bins."""
    assert not is_system_folder(name)


def test_only_two_signs_mark_a_resource_fork() -> None:
    """A song may begin with a dot, and with any number of them."""
    assert is_resource_fork("._song.mp3")
    assert not any(map(is_resource_fork, ["...Baby One More Time.mp3", ".song.mp3", "_song.mp3", "..song.mp3"]))
