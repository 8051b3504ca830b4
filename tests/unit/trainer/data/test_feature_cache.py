from __future__ import annotations

import gc
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from segue.core.features.config import FeatureConfig
from segue.core.testing.synthetic_clips import render_folder
from segue.trainer.data.feature_cache import FeatureCache, default_cache
from segue.trainer.data.folder import list_folder, read_folder
from tests.helpers.machine.disk import full_disk

CONFIG = FeatureConfig()
COLUMNS = np.random.default_rng(0).random((128, 50)).astype(np.float32)


@pytest.fixture
def audio(tmp_path: Path) -> Path:
    """A file with some content."""
    path = tmp_path / "song.wav"
    path.write_bytes(b"some music")
    return path


def test_features_are_found_by_content_and_front_end(audio: Path, tmp_path: Path) -> None:
    """A copy under another name has the same features; other content and another front end have none."""
    cache = FeatureCache(tmp_path / "cache", CONFIG)
    assert cache.find(audio) is None
    cache.store(audio, COLUMNS)
    copy, other = tmp_path / "copy.wav", tmp_path / "other.wav"
    copy.write_bytes(audio.read_bytes())
    other.write_bytes(b"other music")
    cached = cache.find(copy)
    assert cached is not None
    assert np.array_equal(COLUMNS, cached)
    assert cache.find(other) is None
    assert FeatureCache(tmp_path / "cache", replace(CONFIG, hop=256)).find(audio) is None


def test_threads_find_features_at_the_same_time(audio: Path, tmp_path: Path) -> None:
    """Threads that are interrupted while they read, as by a callback of the garbage collector, all find them."""
    cache = FeatureCache(tmp_path / "cache", CONFIG)
    cache.store(audio, COLUMNS)
    threshold, interval = gc.get_threshold(), sys.getswitchinterval()

    def interrupt(_phase: str, _info: dict[str, int]) -> None:
        for _ in range(50):
            pass

    gc.callbacks.append(interrupt)
    gc.set_threshold(5)
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            cached = list(pool.map(cache.find, [audio] * 400))
    finally:
        gc.callbacks.remove(interrupt)
        gc.set_threshold(*threshold)
        sys.setswitchinterval(interval)
    assert all(columns is not None for columns in cached)


@pytest.mark.parametrize("content", [b"", b"no array", b"\x93NUMPY"])
def test_damaged_features_are_computed_again(audio: Path, tmp_path: Path, content: bytes) -> None:
    """A file that was cut off counts as missing."""
    cache = FeatureCache(tmp_path / "cache", CONFIG)
    cache.store(audio, COLUMNS)
    (stored,) = (tmp_path / "cache").rglob("*.npy")
    stored.write_bytes(content)
    assert cache.find(audio) is None


def test_a_full_disk_does_not_end_the_run(audio: Path, tmp_path: Path) -> None:
    """The cache reports it, and leaves no incomplete file."""
    cache = FeatureCache(tmp_path / "cache", CONFIG)
    with full_disk(1_000):
        cache.store(audio, COLUMNS)
    assert "not cached" in cache.trouble
    assert [] == [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_a_folder_is_decoded_once(tmp_path: Path) -> None:
    """The second reading takes the numbers of the cache, whatever they are."""
    render_folder(tmp_path / "clips", clips=2)
    files = list_folder(tmp_path / "clips")
    cache = FeatureCache(tmp_path / "cache", CONFIG)
    first = read_folder(files, CONFIG, lambda results, total: results, cache)
    stored = sorted((tmp_path / "cache").rglob("*.npy"))
    assert 2 == len(stored)
    np.save(stored[0], np.full((128, 387), -7, np.float32))
    second = read_folder(files, CONFIG, lambda results, total: results, cache)
    assert 1 == sum(np.array_equal(a.decibels, b.decibels) for a, b in zip(first.clips, second.clips, strict=True))
    assert 1 == sum((clip.decibels == -7).all() for clip in second.clips)


def test_the_cache_is_in_the_user_s_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The XDG base directory specification names the folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert tmp_path / "segue" / "features" == default_cache()
