"""The published index: whole or not at all, checked before it is opened, never missed when it is gone."""

from __future__ import annotations

import json
import logging
import random
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from segue.core.catalogue.records import Addition, Identity, PathRecord, Track
from segue.core.errors import CatalogueEmpty, SnapshotUnwritable
from segue.core.index.snapshot import load_newest, newest_revision, publish
from segue.core.index.snapshot_header import HEADER, INDEX, TRACK_IDS, SnapshotHeader
from segue.core.index.vector_index import ExactIndex
from segue.core.testing.memory_store import MemoryStore

WIDTH = 16
TRACKS = 300


def vectors(count: int, seed: int = 1) -> NDArray[np.float32]:
    """Embeddings [count, WIDTH] of length 1."""
    drawn = np.random.default_rng(seed).standard_normal((count, WIDTH))
    unit: NDArray[np.float32] = (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)
    return unit


def add(store: MemoryStore, first: int, count: int) -> None:
    """Adds tracks with the numbers from ``first`` on."""
    ids = [f"{number:032x}" for number in range(first, first + count)]
    with store.writer("model", "front-end", WIDTH) as writer:
        writer.add(
            [
                Addition(Track(track_id, track_id), vector, PathRecord(f"/{track_id}", 1, 1, track_id))
                for track_id, vector in zip(ids, vectors(count, seed=first), strict=True)
            ]
        )


def identity_of(store: MemoryStore) -> Identity:
    """What the catalogue is."""
    identity = store.identity()
    assert identity is not None
    return identity


def published(data: Path) -> list[Path]:
    """The snapshots, the oldest first."""
    return sorted((data / "snapshots").iterdir())


@pytest.fixture
def store() -> MemoryStore:
    """A catalogue of 300 tracks."""
    store = MemoryStore()
    add(store, 0, TRACKS)
    return store


@pytest.fixture
def two(store: MemoryStore, tmp_path: Path) -> Path:
    """A data folder with snapshots of 300 and of 310 tracks."""
    publish(tmp_path, store)
    add(store, TRACKS, 10)
    publish(tmp_path, store)
    return tmp_path


def test_what_is_published_is_what_is_loaded(store: MemoryStore, tmp_path: Path) -> None:
    """The header says what the index was made of, and the index finds what exact search finds."""
    written = publish(tmp_path, store)
    loaded = load_newest(tmp_path, identity_of(store))
    assert loaded is not None
    assert written == loaded.header
    assert (TRACKS, TRACKS, WIDTH) == (written.revision, written.tracks, written.width)
    assert identity_of(store).uuid == written.uuid
    assert {INDEX, TRACK_IDS} == set(written.files)
    exact = ExactIndex([f"{number:032x}" for number in range(TRACKS)], vectors(TRACKS, seed=0))
    for query in vectors(20, seed=99):
        expected, actual = exact.search(query, 10), loaded.index.search(query, 10)
        assert [neighbour.track_id for neighbour in expected] == [neighbour.track_id for neighbour in actual]
        np.testing.assert_allclose([n.similarity for n in expected], [n.similarity for n in actual], atol=1e-5)


def test_an_empty_catalogue_has_a_snapshot(tmp_path: Path) -> None:
    """Before the first track, and after the last was removed, there is an index without tracks."""
    store = MemoryStore()
    with store.writer("model", "front-end", WIDTH):
        pass
    publish(tmp_path, store)
    loaded = load_newest(tmp_path, identity_of(store))
    assert loaded is not None
    assert (0, 0, []) == (loaded.header.revision, len(loaded.index), loaded.index.search(vectors(1)[0], 5))


def test_no_catalogue_has_none(tmp_path: Path) -> None:
    """Where nothing was ever written there is nothing to publish or to load."""
    with pytest.raises(CatalogueEmpty, match="segue-indexer add"):
        publish(tmp_path, MemoryStore())
    assert load_newest(tmp_path, Identity("u", "m", "f", 1)) is None
    assert 0 == newest_revision(tmp_path)


def test_the_newest_is_loaded_and_two_are_kept(two: Path, store: MemoryStore) -> None:
    """A third snapshot sends the first away; what an interrupted run left is swept out."""
    (two / "snapshots" / ".unfinished-00000000000000000999-abcdefgh").mkdir()
    add(store, 400, 5)
    publish(two, store)
    assert [310, 315] == [int(path.name.split("-")[0]) for path in published(two)]
    assert 315 == newest_revision(two)
    loaded = load_newest(two, identity_of(store))
    assert loaded is not None
    assert 315 == loaded.header.revision


def test_the_same_revision_twice(two: Path, store: MemoryStore) -> None:
    """Publishing again without a change is no harm."""
    publish(two, store)
    assert [310, 310] == [int(path.name.split("-")[0]) for path in published(two)]
    assert load_newest(two, identity_of(store)) is not None


@pytest.mark.parametrize("name", [HEADER, INDEX, TRACK_IDS])
def test_a_damaged_byte_sends_readers_to_the_older_one(
    two: Path, store: MemoryStore, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """One flipped bit anywhere in any file is seen before hnswlib reads it, and the reason is logged."""
    file = published(two)[-1] / name
    whole = file.read_bytes()
    dice = random.Random(name)
    for position in dice.sample(range(len(whole)), 50):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << dice.randrange(8)
        file.write_bytes(damaged)
        loaded = load_newest(two, identity_of(store))
        assert loaded is not None
        assert TRACKS == loaded.header.revision, f"bit flipped at {position}"
    assert 50 == sum("is skipped" in message for message in caplog.messages)


@pytest.mark.parametrize("name", [HEADER, INDEX, TRACK_IDS])
@pytest.mark.parametrize("left", [None, 0, 100])
def test_a_file_cut_off_or_gone(two: Path, store: MemoryStore, name: str, left: int | None) -> None:
    """A missing, empty or cut off file is damage like any other; where all are damaged there is none."""
    for expected, folder in ((TRACKS, published(two)[1]), (None, published(two)[0])):
        file = folder / name
        if left is None:
            file.unlink()
        else:
            file.write_bytes(file.read_bytes()[:left])
        loaded = load_newest(two, identity_of(store))
        assert expected == (loaded and loaded.header.revision)


@pytest.mark.parametrize("change", [{"uuid": "x"}, {"model_id": "x"}, {"fingerprint": "x"}, {"width": WIDTH + 1}])
def test_the_snapshot_of_another_catalogue_is_passed_over(
    two: Path, store: MemoryStore, change: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    """An index of another catalogue, model or front end is not loaded, and the log names both."""
    with caplog.at_level(logging.WARNING):
        assert load_newest(two, replace(identity_of(store), **change)) is None  # type: ignore[arg-type] # each by its field
    assert identity_of(store).uuid in caplog.text


def test_a_snapshot_of_another_format_is_passed_over(two: Path, store: MemoryStore) -> None:
    """A later Segue's snapshot is left alone."""
    file = published(two)[-1] / HEADER
    later = replace(SnapshotHeader.from_json(file.read_text()), format_version=2)
    file.write_text(later.to_json())
    loaded = load_newest(two, identity_of(store))
    assert loaded is not None
    assert TRACKS == loaded.header.revision


@pytest.mark.parametrize(
    "header", ["", "[]", "null", "7", '{"header": 7}', '{"header": {"format_version": 1}}', "[" * 99_999]
)
def test_a_header_that_is_none(two: Path, store: MemoryStore, header: str) -> None:
    """Whatever stands in the header's place is damage, not a crash."""
    (published(two)[-1] / HEADER).write_text(header)
    loaded = load_newest(two, identity_of(store))
    assert loaded is not None
    assert TRACKS == loaded.header.revision


def test_only_where_the_events_are(two: Path, store: MemoryStore) -> None:
    """A snapshot that the stream has not reached, or has left behind, is no start to follow it from."""
    identity = identity_of(store)
    older = load_newest(two, identity, until=309)
    assert older is not None
    assert TRACKS == older.header.revision
    assert load_newest(two, identity, since=311) is None


def test_a_lost_future_is_swept_out(two: Path, store: MemoryStore) -> None:
    """After Redis was restored from older data, snapshots of what it forgot are removed by the next one."""
    restored = MemoryStore()
    add(restored, 0, 20)
    restored._identity = identity_of(store)
    publish(two, restored)
    assert [20] == [int(path.name.split("-")[0]) for path in published(two)]


def test_the_digest_of_the_header_covers_all_of_it(two: Path) -> None:
    """Every field of a header is under its digest."""
    raw = json.loads((published(two)[-1] / HEADER).read_text())
    assert set(SnapshotHeader.__dataclass_fields__) == set(raw["header"])


@contextmanager
def full_disk(most: int) -> Iterator[None]:
    """No file may grow beyond ``most`` bytes, as on a disk with no more room."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_publishes_nothing(two: Path, store: MemoryStore) -> None:
    """An index that the disk does not take whole is an error that says so, and the older ones stay."""
    before = published(two)
    size = (before[-1] / INDEX).stat().st_size
    with full_disk(size // 2), pytest.raises(SnapshotUnwritable, match=r"only .* could be written.*Make room"):
        publish(two, store)
    assert before == published(two)
    assert load_newest(two, identity_of(store)) is not None


def test_a_folder_that_cannot_be_written(store: MemoryStore, tmp_path: Path) -> None:
    """A file where the folder should be is named."""
    (tmp_path / "snapshots").write_text("in the way")
    with pytest.raises(SnapshotUnwritable, match="snapshots"):
        publish(tmp_path, store)


def test_what_is_no_snapshot_is_passed_over(two: Path, store: MemoryStore) -> None:
    """Something else that lies in the folder, under whatever name, is no harm."""
    (two / "snapshots" / "99999999999999999999-notes").write_text("not a snapshot")
    (two / "snapshots" / "notes").mkdir()
    loaded = load_newest(two, identity_of(store))
    assert loaded is not None
    assert TRACKS + 10 == loaded.header.revision
