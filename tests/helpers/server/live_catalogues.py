"""Live catalogues over stores in memory, with made-up tracks that are known by their numbers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import numpy as np

from segue.core.catalogue.records import Addition, PathRecord, Track
from segue.core.catalogue.store import TrackStore
from segue.core.errors import StoreUnavailable
from segue.core.features.config import FeatureConfig
from segue.core.index.vector_index import ExactIndex, Vectors
from segue.core.model.artifact import Manifest
from segue.core.selection.track_query import TrackQuery
from segue.core.testing.memory_store import MemoryStore
from segue.server.live_catalogue.catalogue import LiveCatalogue
from segue.server.live_catalogue.catalogue_search import CatalogueSearch
from segue.server.live_catalogue.track_metadata import TrackMetadata
from segue.server.observability.metrics import Metrics
from segue.server.selection.nearest_tracks import FoundNeighbours, NearestTracks

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
_QUERY = np.eye(WIDTH, dtype=np.float32)[0]


class SwitchableStore:
    """A store whose catalogue can be replaced, and that can be away.

    Attributes:
        target: the store that answers.
        away: True to raise StoreUnavailable instead of an answer.
    """

    def __init__(self, target: MemoryStore) -> None:
        self.target = target
        self.away = False

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - any attribute of a store
        if self.away and callable(getattr(TrackStore, name, None)):
            raise StoreUnavailable("it is away")
        return getattr(self.target, name)


class CountedStore(SwitchableStore):
    """A store that counts the uses of its methods.

    Attributes:
        used: the names of the methods, in the order of their use.
    """

    def __init__(self, target: MemoryStore) -> None:
        super().__init__(target)
        self.used: list[str] = []

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - any attribute of a store
        self.used += [name] * callable(getattr(TrackStore, name, None))
        return super().__getattr__(name)


def name(number: int) -> str:
    """The id of a track."""
    return f"{number:032x}"


def embedding(number: int) -> Vectors:
    """A vector of length 1, a different one for each number."""
    vector = np.random.default_rng(number).standard_normal(WIDTH).astype(np.float32)
    unit: Vectors = vector / np.linalg.norm(vector)
    return unit


def add(store: MemoryStore, *numbers: int, version: int = 0, title: str = "track") -> None:
    """Writes tracks, with different embeddings for each version."""
    additions = [
        Addition(
            Track(name(number), title=f"{title} {number}"),
            embedding(number + 1000 * version),
            PathRecord(f"{number}.wav", 1, 1, name(number)),
        )
        for number in numbers
    ]
    with store.writer(*MANIFEST.key) as writer:
        writer.add(additions)


def remove(store: MemoryStore, *numbers: int) -> None:
    """Removes tracks."""
    with store.writer(*MANIFEST.key) as writer:
        writer.remove([name(number) for number in numbers])


def store_of(*numbers: int) -> MemoryStore:
    """A store with some tracks."""
    store = MemoryStore()
    add(store, *numbers)
    return store


def metadata(max_bytes: int = 2**20) -> TrackMetadata:
    """The metadata of tracks; callers get only their titles."""
    # Polls are called by the tests, at any distance.
    return TrackMetadata(max_bytes, lambda track: track.title.encode(), fresh_seconds=600)


def find(catalogue: LiveCatalogue, query: Vectors, k: int, seed: str) -> FoundNeighbours:
    """The nearest tracks, before they are described."""
    return CatalogueSearch(catalogue, Metrics()).find(TrackQuery(query, k, frozenset({seed})))


def nearest(catalogue: LiveCatalogue, query: Vectors, k: int, seed: str) -> NearestTracks:
    """The nearest tracks, as a call finds them."""
    found = find(catalogue, query, k, seed)
    return catalogue.described_from_memory(found) or catalogue.described(found)


def store_of_another_model() -> MemoryStore:
    """A store that another model has begun to fill."""
    store = MemoryStore()
    with store.writer("other-00000000", "f" * 16, WIDTH):
        pass
    return store


@contextmanager
def following(data: Path, store: MemoryStore | SwitchableStore, max_bytes: int = 2**20) -> Iterator[LiveCatalogue]:
    """A catalogue that has polled a store once, and polls it again only at ``refresh``."""

    @contextmanager
    def opened() -> Iterator[TrackStore]:
        yield cast("TrackStore", store)

    catalogue = LiveCatalogue(data, MANIFEST, opened, metadata(max_bytes))
    try:
        catalogue.refresh()
        yield catalogue
    finally:
        catalogue.close()


def assert_is_the_store(catalogue: LiveCatalogue, store: MemoryStore) -> None:
    """A search of the catalogue returns what exact search over all tracks of the store returns."""
    ids = store.track_ids("", 1000)
    vectors = [vector for vector in store.embeddings(ids) if vector is not None]
    expected = ExactIndex(ids, np.stack(vectors)).search(_QUERY, 1000)
    actual = catalogue.searchable_view().search(_QUERY, 1000)
    assert [neighbour.track_id for neighbour in expected] == [neighbour.track_id for neighbour in actual]
    np.testing.assert_allclose([n.similarity for n in actual], [n.similarity for n in expected], atol=1e-5)
    assert (len(ids), store.revision()) == (len(catalogue.view), catalogue.view.revision)
