"""Snapshots of the index: complete or absent, checked before they are loaded, and never required."""

from __future__ import annotations

import json
import logging
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from segue.core.catalogue.identity import Identity
from segue.core.errors import CatalogueEmpty, SnapshotUnwritable
from segue.core.index.publishing import publish
from segue.core.index.snapshot import list_snapshots, load_newest, newest_revision
from segue.core.index.snapshot_header import COPIES, HEADER, INDEX, TRACK_IDS, SnapshotHeader
from segue.core.index.vector_index import ExactIndex
from segue.core.testing.memory_store import MemoryStore
from tests.helpers.catalogue.tracks import MODEL, WIDTH, addition, additions, embedding, fingerprint, track_id
from tests.helpers.machine.disk import full_disk

TRACKS = 300


def add(store: MemoryStore, first: int, count: int) -> None:
    """Adds tracks with the numbers from ``first`` on."""
    with store.writer(*MODEL) as writer:
        writer.add(additions(*range(first, first + count)))


def add_copy(store: MemoryStore, number: int, original: int) -> None:
    """Adds a track with the sound of another one."""
    copied = addition(number, seed=original)
    track = replace(copied.track, fingerprint=fingerprint(original).to_text())
    with store.writer(*MODEL) as writer:
        writer.add([replace(copied, track=track)])


def identity_of(store: MemoryStore) -> Identity:
    """Returns the identity of a catalogue that exists."""
    identity = store.identity()
    assert identity is not None
    return identity


def loaded_revision(data: Path, store: MemoryStore) -> int | None:
    """Returns the revision of the snapshot that is loaded, or None if none can be."""
    snapshot = load_newest(data, identity_of(store))
    return None if snapshot is None else snapshot.header.revision


def revisions(data: Path) -> list[int]:
    """Returns the revisions in the names of all snapshots, the newest first."""
    return [int(path.name.split("-")[0]) for path in list_snapshots(data / "snapshots")]


def newest(data: Path) -> Path:
    """Returns the newest snapshot."""
    return list_snapshots(data / "snapshots")[0]


@pytest.fixture
def store() -> MemoryStore:
    """A catalogue of 300 tracks, the last one a copy of the first."""
    store = MemoryStore()
    add(store, 0, TRACKS - 1)
    add_copy(store, TRACKS - 1, 0)
    return store


@pytest.fixture
def data(store: MemoryStore, tmp_path: Path) -> Path:
    """A data folder with snapshots of 300 and 310 tracks of this catalogue, the newer one with many copies."""
    publish(tmp_path, store)
    for number in range(TRACKS, TRACKS + 10):
        add_copy(store, number, number - TRACKS)
    publish(tmp_path, store)
    return tmp_path


def test_a_published_snapshot_is_loaded(store: MemoryStore, tmp_path: Path) -> None:
    """The header has the properties of the catalogue, and the index finds the same as exact search."""
    header = publish(tmp_path, store)
    snapshot = load_newest(tmp_path, identity_of(store))
    assert snapshot is not None
    assert header == snapshot.header
    assert (TRACKS, TRACKS, WIDTH) == (header.revision, header.tracks, header.width)
    assert identity_of(store).uuid == header.uuid
    assert {INDEX, TRACK_IDS, COPIES} == set(header.files)
    ids = [track_id(number) for number in range(TRACKS)]
    exact = ExactIndex(ids, np.stack([embedding(number % (TRACKS - 1)) for number in range(TRACKS)]))
    for query in map(embedding, range(1_000, 1_020)):
        expected, actual = exact.search(query, 10), snapshot.index.search(query, 10)
        assert [neighbour.track_id for neighbour in expected] == [neighbour.track_id for neighbour in actual]
        np.testing.assert_allclose([n.similarity for n in actual], [n.similarity for n in expected], atol=1e-5)


def test_the_copies_of_a_snapshot(data: Path, store: MemoryStore) -> None:
    """A snapshot has the groups of copies; one of an earlier version, without their file, has none."""
    snapshot = load_newest(data, identity_of(store))
    assert snapshot is not None
    groups = {number: (number, TRACKS + number) for number in range(10)} | {0: (0, TRACKS - 1, TRACKS)}
    expected = {track_id(number): track_id(first) for first, numbers in groups.items() for number in numbers}
    assert expected == snapshot.copies
    file = newest(data) / HEADER
    files = {name: digest for name, digest in snapshot.header.files.items() if name != COPIES}
    file.write_text(replace(snapshot.header, files=files).to_json())
    (newest(data) / COPIES).unlink()
    earlier = load_newest(data, identity_of(store))
    assert earlier is not None
    assert (TRACKS + 10, {}) == (earlier.header.tracks, earlier.copies)


def test_a_snapshot_of_an_empty_catalogue(tmp_path: Path) -> None:
    """A catalogue without tracks has an index without tracks."""
    store = MemoryStore()
    with store.writer(*MODEL):
        pass
    publish(tmp_path, store)
    snapshot = load_newest(tmp_path, identity_of(store))
    assert snapshot is not None
    assert (0, 0, []) == (snapshot.header.revision, len(snapshot.index), snapshot.index.search(embedding(1), 5))


def test_a_catalogue_that_does_not_exist(tmp_path: Path) -> None:
    """Before the first writer, no snapshot can be published or loaded."""
    with pytest.raises(CatalogueEmpty, match="segue-indexer add"):
        publish(tmp_path, MemoryStore())
    assert load_newest(tmp_path, Identity("u", "m", "f", 1)) is None
    assert 0 == newest_revision(tmp_path)


def test_two_snapshots_are_kept(data: Path, store: MemoryStore) -> None:
    """A third snapshot replaces the first, and removes an unfinished one that an interrupted run left."""
    unfinished = data / "snapshots" / ".unfinished-00000000000000000999-abcdefgh"
    unfinished.mkdir()
    add(store, 400, 5)
    publish(data, store)
    assert [315, 310] == revisions(data)
    assert 315 == newest_revision(data)
    assert 315 == loaded_revision(data, store)
    assert not unfinished.exists()


def test_the_same_revision_twice(data: Path, store: MemoryStore) -> None:
    """A catalogue without changes can be published again."""
    publish(data, store)
    assert [310, 310] == revisions(data)
    assert 310 == loaded_revision(data, store)


@pytest.mark.parametrize("name", [HEADER, INDEX, TRACK_IDS, COPIES])
def test_a_flipped_bit(data: Path, store: MemoryStore, name: str, caplog: pytest.LogCaptureFixture) -> None:
    """A flipped bit anywhere in any file is found before hnswlib reads it; the older snapshot is loaded instead."""
    file = newest(data) / name
    content = file.read_bytes()
    dice = random.Random(name)
    for position in dice.sample(range(len(content)), 50):
        damaged = bytearray(content)
        damaged[position] ^= 1 << dice.randrange(8)
        file.write_bytes(damaged)
        assert TRACKS == loaded_revision(data, store), f"bit flipped at {position}"
    assert 50 == sum("is skipped" in message for message in caplog.messages)


@pytest.mark.parametrize("name", [HEADER, INDEX, TRACK_IDS, COPIES])
@pytest.mark.parametrize("length", [None, 0, 100], ids=["missing", "empty", "cut off"])
def test_an_incomplete_file(data: Path, store: MemoryStore, name: str, length: int | None) -> None:
    """A snapshot with an incomplete file is skipped, and no snapshot is loaded if all are damaged."""
    newer, older = list_snapshots(data / "snapshots")
    for folder, expected in ((newer, TRACKS), (older, None)):
        file = folder / name
        if length is None:
            file.unlink()
        else:
            file.write_bytes(file.read_bytes()[:length])
        assert expected == loaded_revision(data, store)


@pytest.mark.parametrize("change", [{"uuid": "x"}, {"model_id": "x"}, {"fingerprint": "x"}, {"width": WIDTH + 1}])
def test_a_snapshot_of_another_catalogue(
    data: Path, store: MemoryStore, change: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    """A snapshot of another catalogue, model or front end is skipped, and the log names both."""
    with caplog.at_level(logging.WARNING):
        assert load_newest(data, replace(identity_of(store), **change)) is None  # type: ignore[arg-type] # each by its field
    assert identity_of(store).uuid in caplog.text


def test_a_snapshot_of_another_format(data: Path, store: MemoryStore) -> None:
    """A snapshot of a later version of Segue is skipped."""
    file = newest(data) / HEADER
    later = replace(SnapshotHeader.from_json(file.read_text()), format_version=2)
    file.write_text(later.to_json())
    assert TRACKS == loaded_revision(data, store)


@pytest.mark.parametrize(
    "header", ["", "[]", "null", "7", '{"header": 7}', '{"header": {"format_version": 1}}', "[" * 99_999]
)
def test_an_invalid_header(data: Path, store: MemoryStore, header: str) -> None:
    """Other content in place of the header is damage, not a crash."""
    (newest(data) / HEADER).write_text(header)
    assert TRACKS == loaded_revision(data, store)


def test_the_range_of_revisions(data: Path, store: MemoryStore) -> None:
    """A snapshot is loaded only if the stream has the events after it."""
    identity = identity_of(store)
    older = load_newest(data, identity, until=309)
    assert older is not None
    assert TRACKS == older.header.revision
    assert load_newest(data, identity, since=311) is None


def test_a_lost_history(data: Path, store: MemoryStore) -> None:
    """Snapshots of a history that was lost are removed after Redis was restored from older data."""
    restored = MemoryStore(identity_of(store))
    add(restored, 0, 20)
    publish(data, restored)
    assert [20] == revisions(data)


def test_the_digest_of_the_header_covers_all_of_it(data: Path) -> None:
    """Every field of a header is covered by its digest."""
    content = json.loads((newest(data) / HEADER).read_text())
    assert set(SnapshotHeader.__dataclass_fields__) == set(content["header"])


def test_a_full_disk(data: Path, store: MemoryStore) -> None:
    """A snapshot that does not fit on the disk is an error that says so; it leaves nothing, and the older ones stay."""
    before = sorted((data / "snapshots").iterdir())
    index_bytes = (before[-1] / INDEX).stat().st_size
    with full_disk(index_bytes // 2), pytest.raises(SnapshotUnwritable, match=r"only .* could be written.*Make room"):
        publish(data, store)
    assert before == sorted((data / "snapshots").iterdir())
    assert 310 == loaded_revision(data, store)


def test_a_folder_that_cannot_be_written(store: MemoryStore, tmp_path: Path) -> None:
    """The error names a file in the place of the folder."""
    (tmp_path / "snapshots").write_text("in the way")
    with pytest.raises(SnapshotUnwritable, match="snapshots"):
        publish(tmp_path, store)


def test_other_files_in_the_folder(data: Path, store: MemoryStore) -> None:
    """A file or folder that is not a snapshot is skipped, whatever its name."""
    (data / "snapshots" / "99999999999999999999-notes").write_text("not a snapshot")
    (data / "snapshots" / "notes").mkdir()
    assert TRACKS + 10 == loaded_revision(data, store)
