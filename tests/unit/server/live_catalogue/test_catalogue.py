from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segue.core.catalogue.records import Addition, PathRecord, Track
from segue.core.catalogue.store import TrackStore
from segue.core.errors import CatalogueEmpty, CatalogueMismatch, StoreUnavailable
from segue.core.features.config import FeatureConfig
from segue.core.index.snapshot import publish
from segue.core.index.vector_index import ExactIndex, Vectors
from segue.core.model.artifact import Manifest
from segue.core.testing.memory_store import MemoryStore
from segue.server.live_catalogue.catalogue import LiveCatalogue
from segue.server.live_catalogue.metadata_cache import MetadataCache
from segue.server.live_catalogue.view import View
from tests.helpers.waiting import wait_until

WIDTH = 8
MANIFEST = Manifest(
    name="test",
    model_id="test-12345678",
    labels=("a", "b"),
    windows=10,
    feature_width=WIDTH,
    embedding_width=WIDTH,
    features=FeatureConfig(),
    temperature=1.0,
)
QUERY = np.eye(WIDTH, dtype=np.float32)[0]


def embedding(number: int) -> Vectors:
    """A vector of length 1 that is another for each number."""
    vector = np.random.default_rng(number).standard_normal(WIDTH).astype(np.float32)
    unit: Vectors = vector / np.linalg.norm(vector)
    return unit


def name(number: int) -> str:
    """A track id."""
    return f"{number:032x}"


def add(store: MemoryStore, *numbers: int, version: int = 0) -> None:
    """Writes tracks, with other embeddings for another version."""
    additions = [
        Addition(
            Track(name(number), title=f"track {number}"),
            embedding(number + 1000 * version),
            PathRecord(f"{number}.wav", 1, 1, name(number)),
        )
        for number in numbers
    ]
    with store.writer(MANIFEST.model_id, MANIFEST.features.fingerprint, WIDTH) as writer:
        writer.add(additions)


def remove(store: MemoryStore, *numbers: int) -> None:
    """Removes tracks."""
    with store.writer(MANIFEST.model_id, MANIFEST.features.fingerprint, WIDTH) as writer:
        writer.remove([name(number) for number in numbers])


@contextmanager
def following(data: Path, store: TrackStore) -> Iterator[LiveCatalogue]:
    """A catalogue that looks at the store when ``look`` is called, and never by itself."""

    @contextmanager
    def opened() -> Iterator[TrackStore]:
        yield store

    catalogue = LiveCatalogue(data, MANIFEST, opened)
    try:
        catalogue.refresh()
        yield catalogue
    finally:
        catalogue.close()


def assert_is_the_store(catalogue: LiveCatalogue, store: MemoryStore) -> None:
    """A search of the catalogue answers what exact search over the store's own tracks does."""
    ids = store.track_ids("", 1000)
    vectors = [vector for vector in store.embeddings(ids) if vector is not None]
    expected = ExactIndex(ids, np.stack(vectors)).search(QUERY, 1000)
    actual = catalogue.searchable().search(QUERY, 1000)
    assert [neighbour.track_id for neighbour in expected] == [neighbour.track_id for neighbour in actual]
    np.testing.assert_allclose([n.similarity for n in actual], [n.similarity for n in expected], atol=1e-5)
    assert (len(ids), store.revision()) == (len(catalogue.view), catalogue.view.revision)


@pytest.mark.parametrize("published", [True, False], ids=["snapshot", "no snapshot"])
def test_everything_that_comes_later_is_seen(tmp_path: Path, published: bool) -> None:
    """Tracks added, replaced, removed and added again since the snapshot are searched as they are now."""
    store = MemoryStore()
    add(store, *range(20))
    if published:
        publish(tmp_path, store)
    with following(tmp_path, store) as catalogue:
        assert_is_the_store(catalogue, store)
        add(store, 30, 31)
        add(store, 3, 4, version=1)
        remove(store, 5, 30, 3)
        catalogue.refresh()
        assert_is_the_store(catalogue, store)
        add(store, 5, 3, version=2)
        catalogue.refresh()
        assert_is_the_store(catalogue, store)


def test_a_newer_snapshot_is_taken_up(tmp_path: Path) -> None:
    """When the indexer publishes, the tracks move from the exact segment to the graph, and nothing else changes."""
    store = MemoryStore()
    add(store, *range(5))
    with following(tmp_path, store) as catalogue:
        add(store, *range(5, 10))
        catalogue.refresh()
        publish(tmp_path, store)
        catalogue.refresh()
        assert {} == catalogue.view.added
        assert_is_the_store(catalogue, store)


def test_a_damaged_snapshot_costs_nothing_but_time(tmp_path: Path) -> None:
    """A snapshot that is not what its header says is not used: the tracks come from the store, and only once."""
    store = MemoryStore()
    add(store, *range(5))
    publish(tmp_path, store)
    (graph,) = tmp_path.rglob("index.hnsw")
    graph.write_bytes(b"nonsense")
    with following(tmp_path, store) as catalogue:
        before = catalogue.view
        assert_is_the_store(catalogue, store)
        catalogue.refresh()
        assert before is catalogue.view


def test_a_catalogue_that_was_made_anew(tmp_path: Path) -> None:
    """When another catalogue stands where the old one was, nothing of the old one is recommended."""
    old, new = MemoryStore(), MemoryStore()
    add(old, *range(10))
    publish(tmp_path, old)
    with following(tmp_path, old) as catalogue:
        catalogue._store = new
        add(new, 50)
        catalogue.refresh()
        assert_is_the_store(catalogue, new)


def test_empty(tmp_path: Path) -> None:
    """A catalogue of nothing is healthy, and says what to do."""
    with following(tmp_path, MemoryStore()) as catalogue:
        assert catalogue.problem is None
        with pytest.raises(CatalogueEmpty, match="segue-indexer add"):
            catalogue.searchable()


def test_emptied(tmp_path: Path) -> None:
    """A catalogue whose last track was removed is empty again."""
    store = MemoryStore()
    add(store, 1)
    with following(tmp_path, store) as catalogue:
        remove(store, 1)
        catalogue.refresh()
        with pytest.raises(CatalogueEmpty):
            catalogue.searchable()


def test_made_by_another_model(tmp_path: Path) -> None:
    """A catalogue of another model is refused at the start, with both names."""
    store = MemoryStore()
    with store.writer("other-00000000", "f" * 16, WIDTH):
        pass
    with following(tmp_path, store) as catalogue, pytest.raises(CatalogueMismatch, match=r"other-0.*test-1"):
        catalogue.start()


def test_store_that_comes_late(tmp_path: Path) -> None:
    """A store that cannot be opened is a problem until it can."""
    store = MemoryStore()
    add(store, 1)
    there = False

    @contextmanager
    def opened() -> Iterator[TrackStore]:
        if not there:
            raise StoreUnavailable("not yet")
        yield store

    catalogue = LiveCatalogue(tmp_path, MANIFEST, opened)
    catalogue.refresh()
    with pytest.raises(StoreUnavailable, match="not yet"):
        catalogue.searchable()
    there = True
    catalogue.refresh()
    assert_is_the_store(catalogue, store)
    catalogue.close()


def test_a_snapshot_that_is_published_meanwhile(tmp_path: Path) -> None:
    """A snapshot that appears while the catalogue is looked at is taken up at the next look."""

    class Racing(MemoryStore):
        armed = False

        def revision(self) -> int:
            seen = super().revision()
            if self.armed:
                self.armed = False
                add(self, 100, 101)
                publish(tmp_path, self)
            return seen

    store = Racing()
    add(store, *range(5))
    with following(tmp_path, store) as catalogue:
        store.armed = True
        catalogue.refresh()
        catalogue.refresh()
        assert_is_the_store(catalogue, store)
        assert {} == catalogue.view.added


def test_whatever_goes_wrong_is_a_problem(tmp_path: Path) -> None:
    """An error that nobody foresaw is kept as a problem; the catalogue goes on being followed."""

    @contextmanager
    def opened() -> Iterator[TrackStore]:
        raise ValueError("unforeseen")
        yield MemoryStore()

    catalogue = LiveCatalogue(tmp_path, MANIFEST, opened)
    catalogue.refresh()
    catalogue.refresh()
    assert isinstance(catalogue.problem, StoreUnavailable)
    with pytest.raises(StoreUnavailable):
        _ = catalogue.store


class Away(MemoryStore):
    """A store that can be away, and answers nothing then."""

    away = False

    def __getattribute__(self, name: str) -> Any:  # noqa: ANN401 - whatever the store has
        if name != "away" and self.away and callable(getattr(TrackStore, name, None)):
            raise StoreUnavailable("it is away")
        return super().__getattribute__(name)


def neighbours(catalogue: LiveCatalogue, number: int, k: int) -> tuple[list[str], bool]:
    """What is recommended for a track, and whether it is stale."""
    found = catalogue.nearest(catalogue.embedding(name(number)), k, name(number))
    return [track.track_id for _, track in found.tracks], found.stale


def titles(catalogue: LiveCatalogue) -> list[str]:
    """What is recommended for the first track, by title."""
    return [track.title for _, track in catalogue.nearest(embedding(1), 1, name(1)).tracks]


@pytest.mark.parametrize("in_snapshot", [5, 0, 10])
def test_from_memory(tmp_path: Path, in_snapshot: int) -> None:
    """While the store is away all is answered as before, and said to be stale; when it is back it is not."""
    store = Away()
    add(store, *range(in_snapshot))
    if in_snapshot:
        publish(tmp_path, store)
    add(store, *range(in_snapshot, 10))
    with following(tmp_path, store) as catalogue:
        before = neighbours(catalogue, 3, 4)
        assert (4, False) == (len(before[0]), before[1])
        store.away = True
        assert (before[0], True) == neighbours(catalogue, 3, 4)
        assert catalogue.stale
        assert catalogue.can_recommend
        store.away = False
        catalogue.refresh()
        assert before == neighbours(catalogue, 3, 4)
        assert not catalogue.stale


@pytest.mark.parametrize("ask", [lambda catalogue: catalogue.store, LiveCatalogue.searchable])
def test_a_problem_that_is_told_often(tmp_path: Path, ask: Callable[[LiveCatalogue], object]) -> None:
    """What is wrong is told again and again, and does not grow by it."""
    store = Away()
    store.away = True
    with following(tmp_path, store) as catalogue:
        lengths = set()
        for _ in range(3):
            with pytest.raises(StoreUnavailable, match="away") as told:
                ask(catalogue)
            lengths.add(len(told.traceback))
    assert 1 == len(lengths)


def test_what_memory_does_not_hold(tmp_path: Path) -> None:
    """What is not remembered cannot be answered while the store is away."""
    store = Away()
    add(store, *range(3))
    with following(tmp_path, store) as catalogue:
        catalogue._remembered = MetadataCache(max_tracks=1)
        catalogue._complete = None
        catalogue.refresh()
        store.away = True
        with pytest.raises(StoreUnavailable, match="away"):
            neighbours(catalogue, 1, 2)
        with pytest.raises(StoreUnavailable, match="away"):
            catalogue.embedding(name(99))
        assert not catalogue.can_recommend


def test_a_removed_track_is_not_remembered(tmp_path: Path) -> None:
    """What was removed before the store went away is neither recommended nor a seed."""
    store = Away()
    add(store, *range(5))
    publish(tmp_path, store)
    with following(tmp_path, store) as catalogue:
        remove(store, 2)
        catalogue.refresh()
        store.away = True
        assert {name(0), name(3), name(4)} == set(neighbours(catalogue, 1, 4)[0])
        with pytest.raises(StoreUnavailable):
            catalogue.embedding(name(2))


def test_the_oldest_is_forgotten() -> None:
    """Memory is bounded: who was read longest ago makes room."""
    memory = MetadataCache(max_tracks=2)
    for number in (1, 2, 1, 3):
        memory.put([Track(name(number), title=str(number), posterior={"a": 1.0})])
    assert [None, "1", "3"] == [track and track.title for track in memory.get([name(2), name(1), name(3)])]
    assert {} == (memory.get([name(1)])[0] or Track("", "")).posterior


def test_room_for_the_tracks_that_there_are() -> None:
    """What is no track of the catalogue any more makes room for those that are."""
    memory = MetadataCache(max_tracks=2)
    memory.put([Track(name(number), title="") for number in (1, 2)])
    assert [] == memory.missing([name(1), name(2), name(3)])
    assert [name(3)] == memory.missing([name(2), name(3)])
    assert [None] == memory.get([name(1)])


def test_a_catalogue_made_anew_is_remembered_anew(tmp_path: Path) -> None:
    """The same music in another catalogue is told by what is known of it there."""
    first, second = Away(), Away()
    add(first, 1, 2)
    add(second, 1, 2)
    with second.writer(MANIFEST.model_id, MANIFEST.features.fingerprint, WIDTH) as writer:
        writer.add([Addition(Track(name(2), title="new"), embedding(2), PathRecord("2.wav", 2, 2, name(2)))])
    with following(tmp_path, first) as catalogue:
        assert ["track 2"] == titles(catalogue)
        catalogue._store = second
        catalogue.refresh()
        second.away = True
        assert ["new"] == titles(catalogue)


def test_made_anew_by_another_model(tmp_path: Path) -> None:
    """A catalogue of another model is not recommended from, and health may know, also when the store is away then."""
    first, second = Away(), Away()
    add(first, 1, 2)
    with second.writer("other-00000000", "f" * 16, WIDTH):
        pass
    with following(tmp_path, first) as catalogue:
        assert catalogue.can_recommend
        catalogue._store = second
        catalogue.refresh()
        assert not catalogue.can_recommend
        second.away = True
        catalogue.refresh()
        assert not catalogue.can_recommend


def test_a_catalogue_that_is_gone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A store that comes back empty is told of once, and one that was empty from the start is not."""
    store = MemoryStore()
    add(store, 1)
    with following(tmp_path, store) as catalogue:
        catalogue._store = MemoryStore()
        catalogue.refresh()
        catalogue.refresh()
    with following(tmp_path, MemoryStore()):
        pass
    assert ["Redis holds no catalogue any more. Restore a backup of it, or index anew."] == caplog.messages


def test_compaction(tmp_path: Path) -> None:
    """What grew beside the snapshot becomes one index, and changes that came meanwhile are not lost."""
    store = MemoryStore()
    add(store, *range(200))
    publish(tmp_path, store)
    add(store, *range(100, 6_000), version=1)
    with following(tmp_path, store) as catalogue:
        remove(store, 5, 3_000)
        add(store, 6_000)
        wait_until(lambda: refreshed(catalogue).changes < 10)
        assert 3 == catalogue.view.changes
        ids = store.track_ids("", 10_000)
        assert ids == sorted(catalogue.view.track_ids())
        query = embedding(1_150)  # of a track that was replaced
        expected = ExactIndex(ids, np.stack(store.embeddings(ids))).search(query, 10)  # type: ignore[arg-type] # all are there
        found = catalogue.view.search(query, 10)
        assert [neighbour.track_id for neighbour in expected] == [neighbour.track_id for neighbour in found]


def refreshed(catalogue: LiveCatalogue) -> View:
    """The view after one more look."""
    catalogue.refresh()
    return catalogue.view
