"""The windows of tracks, from the indexer's runs to backups and repairs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from redis import Redis

from segue.core.catalogue.store import all_track_ids
from segue.core.catalogue.window_embeddings import WindowEmbeddings
from segue.core.features.extract import extract
from segue.core.model.load_model import load_model
from segue.core.redis_catalogue.keys import RedisKeys
from segue.core.redis_catalogue.open import open_store
from tests.helpers.indexer import run, run_json, write_library

KEYS = RedisKeys()
CLIPS = 4


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """A folder of four clips with three windows each."""
    return write_library(tmp_path / "music", CLIPS, seconds=9.0)


@pytest.fixture
def data(music: Path, tmp_path: Path, tiny_model: Path) -> Path:
    """A catalogue of these clips that keeps windows."""
    options = ("--data", tmp_path / "data", "--model", tiny_model, "--keep-windows")
    assert 0 == run("add", music, *options).exit_code
    return tmp_path / "data"


def windows(data: Path) -> dict[str, WindowEmbeddings | None]:
    """The windows of all tracks by the paths of the tracks."""
    with open_store(data) as store:
        ids = list(all_track_ids(store))
        tracks = [track for track in store.get(ids) if track is not None]
        return {track.path: found for track, found in zip(tracks, store.windows(ids), strict=True)}


def shapes(data: Path) -> list[tuple[int, ...] | None]:
    """The shapes of the windows of all tracks."""
    return [None if found is None else found.values.shape for found in windows(data).values()]


def test_windows_are_those_of_the_model(data: Path, tiny_model: Path) -> None:
    """Each window has the embedding that the model gives the window by itself."""
    model = load_model(tiny_model)
    for path, found in windows(data).items():
        extracted = extract(Path(path), model.manifest.features, model.manifest.windows).windows
        single = [
            type(extracted)(extracted.values[number : number + 1], extracted.starts[number : number + 1])
            for number in range(len(extracted.values))
        ]
        expected = np.stack([prediction.embedding for prediction in model.predict(single)])
        assert found is not None
        np.testing.assert_allclose(extracted.starts, found.starts, atol=0.006)
        np.testing.assert_allclose((expected * found.values).sum(1), 1, atol=1e-3)


def test_without_the_option(music: Path, data: Path, tiny_model: Path) -> None:
    """Nothing is kept of new tracks, and nothing is lost of those that are known."""
    write_library(music / "more", 2, seconds=12.0)
    before = windows(data)
    assert 0 == run("add", music, "--data", data, "--model", tiny_model).exit_code
    assert [None] * 2 == [found for path, found in windows(data).items() if path not in before]
    assert 0 == run("add", music, "--data", data, "--recheck").exit_code
    assert CLIPS == sum(found is not None for found in windows(data).values())


def test_reindex(data: Path, tiny_model: Path) -> None:
    """Reindex computes the windows of all tracks with the option, and keeps none without it."""
    width = load_model(tiny_model).manifest.embedding_width
    assert CLIPS == run_json("reindex", "--data", data, "--model", tiny_model)["decoded"]
    assert [None] * CLIPS == shapes(data)
    assert 0 == run("reindex", "--data", data, "--keep-windows").exit_code
    assert [(3, width)] * CLIPS == shapes(data)


def test_a_backup(data: Path, tmp_path: Path) -> None:
    """A backup has the windows, bit by bit, and a restored catalogue is sound."""
    assert 0 == run("backup", tmp_path / "backup", "--data", data).exit_code
    assert 0 == run("restore", tmp_path / "backup", "--data", tmp_path / "new").exit_code
    assert 0 == run("verify", "--data", tmp_path / "new").exit_code
    restored = windows(tmp_path / "new")
    for path, found in windows(data).items():
        again = restored[path]
        assert found is not None
        assert again is not None
        np.testing.assert_array_equal(found.values, again.values)
        np.testing.assert_array_equal(found.starts, again.starts)


def test_removed_tracks_leave_nothing(data: Path) -> None:
    """No key of a removed track is left."""
    paths = list(windows(data))
    assert 0 == run("remove", *paths[:2], "--data", data).exit_code
    with open_store(data) as store:
        client: Any = Redis.from_url(store.address)
        assert CLIPS - 2 == len(list(client.scan_iter(match=KEYS.windows("*"))))
        client.close()
    assert 0 == run("verify", "--data", data).exit_code


@pytest.mark.parametrize("damage", [b"", b"\1\3abc", b"x" * 500])
def test_damaged_windows(data: Path, damage: bytes) -> None:
    """Verify finds damaged windows; a repair removes them alone, and the track stays."""
    with open_store(data) as store:
        (damaged, stray) = (next(iter(all_track_ids(store))), "f" * 32)
        client: Any = Redis.from_url(store.address)
        client.set(KEYS.windows(damaged), damage)
        client.set(KEYS.windows(stray), damage)
        assert [None] == store.windows([damaged])
    found = json.loads(run("verify", "--data", data, "--json", "--repair").stdout)["problems"]
    client.close()
    assert {damaged, stray} == {problem["what"] for problem in found}
    assert 0 == run("verify", "--data", data).exit_code
    assert (CLIPS, 1) == (len(shapes(data)), shapes(data).count(None))
