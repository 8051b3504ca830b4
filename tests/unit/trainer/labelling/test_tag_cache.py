from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from segue.trainer.data.npz import read_npz, write_npz
from segue.trainer.data.tag_file import WindowTags, write_tag_file
from segue.trainer.errors import DataUnusable
from segue.trainer.labelling.music import MusicFile
from segue.trainer.labelling.tag_cache import TagCache

RECIPE = "recipe-5"
SONG = MusicFile(Path("music/song.mp3"), 100, 1_000_000_000_000_000_001)
OTHER = MusicFile(Path("music/b\udcffd\n.mp3"), 7, 2)
TAGS = {
    SONG: np.full((5, 50), 0.25, np.float32),
    OTHER: np.random.default_rng(0).random((2, 50), np.float32),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A cache with two files."""
    path = tmp_path / "new" / "tags.npz"
    cache = TagCache.open(path, RECIPE)
    for file, tags in TAGS.items():
        cache.store(file, tags)
    cache.save()
    return path


def test_tags_are_found_in_a_later_run(path: Path) -> None:
    """Each file has its own tags, bit for bit, whatever its name."""
    cache = TagCache.open(path, RECIPE)
    assert 2 == len(cache)
    for file, tags in TAGS.items():
        found = cache.find(file)
        assert found is not None
        assert np.array_equal(tags, found)


@pytest.mark.parametrize(
    "changed",
    [replace(SONG, size=101), replace(SONG, mtime_ns=SONG.mtime_ns + 1), replace(SONG, path=Path("other/song.mp3"))],
)
def test_a_changed_file_is_not_found(path: Path, changed: MusicFile) -> None:
    """Size, time and path identify a file."""
    assert None is TagCache.open(path, RECIPE).find(changed)


def test_a_file_is_found_by_any_of_its_names(path: Path) -> None:
    """The path may be relative or absolute."""
    absolute = replace(SONG, path=Path.cwd() / "music" / "song.mp3")
    assert None is not TagCache.open(path, RECIPE).find(absolute)


def test_tags_of_another_recipe_are_dropped(path: Path) -> None:
    """Another front end gives other tags, and the cache is then written for it."""
    cache = TagCache.open(path, "recipe-3")
    assert 0 == len(cache)
    cache.store(SONG, np.zeros((1, 50), np.float32))
    cache.save()
    assert (0, 1) == (len(TagCache.open(path, RECIPE)), len(TagCache.open(path, "recipe-3")))


def test_a_cache_that_did_not_grow_is_not_written(path: Path) -> None:
    """A run without new files leaves the file alone."""
    cache = TagCache.open(path, RECIPE)
    path.unlink()
    cache.save()
    assert not path.exists()


def test_an_empty_cache_is_not_written(tmp_path: Path) -> None:
    """There is nothing to keep."""
    TagCache.open(tmp_path / "tags.npz", RECIPE).save()
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize("content", [b"", b"no archive"])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, content: bytes) -> None:
    """It is not overwritten."""
    (tmp_path / "tags.npz").write_bytes(content)
    with pytest.raises(DataUnusable, match="is not a cache of tags"):
        TagCache.open(tmp_path / "tags.npz", RECIPE)
    assert content == (tmp_path / "tags.npz").read_bytes()


def test_tags_of_labelled_clips_are_refused(tmp_path: Path) -> None:
    """A file that ``segue-trainer tag`` wrote is not overwritten."""
    write_tag_file(tmp_path / "tags.npz", {"rock/a.mp3": WindowTags(np.zeros((1, 50), np.float32))})
    with pytest.raises(DataUnusable, match="is not a cache of tags"):
        TagCache.open(tmp_path / "tags.npz", RECIPE)


@pytest.mark.parametrize(
    "damage",
    [
        {"windows": np.array([5, 3])},
        {"size": np.array([100])},
        {"tags": np.zeros(7, np.float32)},
        {"tags": np.full((7, 50), np.nan, np.float32)},
    ],
)
def test_fields_that_do_not_fit_are_refused(path: Path, damage: dict[str, np.ndarray]) -> None:
    """The message says what to do."""
    write_npz(path, read_npz(path) | damage)
    with pytest.raises(DataUnusable, match="Remove it, or name another"):
        TagCache.open(path, RECIPE)


def test_a_cache_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    """The run goes on without it."""
    (tmp_path / "file").touch()
    cache = TagCache(tmp_path / "file" / "tags.npz", RECIPE)
    cache.store(SONG, np.zeros((1, 50), np.float32))
    cache.save()
    assert "tags are not cached in" in cache.trouble
