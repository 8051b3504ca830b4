from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from segue.core.artifact import Manifest
from segue.core.errors import CatalogueEmpty, CatalogueMismatch, StoreUnavailable
from segue.core.features import FeatureConfig
from segue.core.index import ExactIndex, Vectors
from segue.core.memory_store import MemoryStore
from segue.core.snapshot import publish
from segue.core.store import Addition, PathRecord, Track, TrackStore
from segue.server.catalogue import LiveCatalogue

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
        assert {} == catalogue.view.fresh
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
        assert {} == catalogue.view.fresh


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
