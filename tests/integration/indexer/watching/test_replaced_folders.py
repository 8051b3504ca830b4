"""Folders that are removed and replaced below a running watch."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from segue.core.index.snapshot import list_snapshots
from tests.helpers.indexer import Indexer
from tests.helpers.watching import RunningWatch, running_watch

CLIPS = 12


@pytest.fixture
def watch(indexer: Indexer, music: Path) -> Iterator[RunningWatch]:
    """A watch of the folder of music, in which an album may be."""
    (music / "album").mkdir()
    with running_watch(indexer.data, indexer.model, music) as watch:
        yield watch


def test_a_root_that_is_replaced(watch: RunningWatch, music: Path, more: Path, tmp_path: Path) -> None:
    """The new folder, which may have the inode of the old one, is walked and watched."""
    kept = shutil.copytree(music, tmp_path / "kept")
    shutil.rmtree(music)
    shutil.copytree(kept, music)
    shutil.copy(more / "0000.flac", music / "first.flac")
    watch.wait_for_total("added", CLIPS + 1)
    shutil.copy(more / "0001.flac", music / "second.flac")
    watch.wait_for_total("added", CLIPS + 2)


def test_an_album_that_is_moved_out_and_replaced(watch: RunningWatch, music: Path, more: Path, tmp_path: Path) -> None:
    """Once both are removed, the thread of watchdog that reads events dies, and the watch starts another."""
    _replace_and_remove(music / "album", tmp_path / "trash")
    shutil.copy(more / "0000.flac", music / "first.flac")
    watch.wait_for_total("added", CLIPS + 1)
    shutil.copy(more / "0001.flac", music / "second.flac")
    watch.wait_for_total("added", CLIPS + 2)


def _replace_and_remove(album: Path, trash: Path) -> None:
    album.rename(trash)
    album.mkdir()
    shutil.rmtree(album)
    shutil.rmtree(trash)


def test_the_end_after_an_album_was_moved_out(watch: RunningWatch, music: Path, more: Path, tmp_path: Path) -> None:
    """The watch ends in good order though watchdog confuses the two albums."""
    (music / "album").rename(tmp_path / "trash")
    (music / "album").mkdir()
    shutil.rmtree(music / "album")
    shutil.copy(more / "0000.flac", music / "first.flac")
    watch.wait_for_total("added", CLIPS + 1)
    code, _, errors = watch.end()
    assert (0, "") == (code, errors)


def test_two_names_of_one_folder(indexer: Indexer, music: Path, more: Path, tmp_path: Path) -> None:
    """The folder is watched once, and its files have the first name, as in a walk."""
    link = tmp_path / "link"
    link.symlink_to(music)
    with running_watch(indexer.data, indexer.model, link, music) as watch:
        shutil.copy(more / "0000.flac", music / "new.flac")
        watch.wait_for_total("added", CLIPS + 1)
        with indexer.store() as store:
            first, second = store.files([str(link / "new.flac"), str(music / "new.flac")])
            assert (True, True) == (first is not None, second is None)


def test_polling_publishes_once(indexer: Indexer, music: Path, more: Path) -> None:
    """The first walk publishes the index; changes that later walks find wait for a quiet minute."""
    with running_watch(indexer.data, indexer.model, "--poll", "1", music) as watch:
        before = list_snapshots(indexer.data / "snapshots")
        shutil.copy(more / "0000.flac", music / "new.flac")
        watch.wait_for_total("added", CLIPS + 1)
        shutil.copy(more / "0001.flac", music / "newer.flac")
        watch.wait_for_total("added", CLIPS + 2)
        assert before == list_snapshots(indexer.data / "snapshots")
        assert 0 == watch.end()[0]
    assert before != list_snapshots(indexer.data / "snapshots")
