from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from segue.core.errors import SnapshotDamaged
from segue.core.index.vector_index import ExactIndex, HnswIndex, VectorIndex, Vectors
from tests.helpers.catalogue.tracks import track_id

WIDTH = 64


def clustered(count: int, seed: int = 0) -> Vectors:
    """Returns embeddings [count, 64] of length 1 around fifty centres."""
    random = np.random.default_rng(seed)
    centres = random.standard_normal((50, WIDTH))
    vectors = centres[random.integers(50, size=count)] + 0.5 * random.standard_normal((count, WIDTH))
    unit: Vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return unit


def ids(count: int) -> list[str]:
    """Returns the ids of the first tracks, in their order."""
    return [track_id(number) for number in range(count)]


@pytest.fixture(params=[ExactIndex, HnswIndex.build], ids=["exact", "hnsw"])
def index(request: pytest.FixtureRequest) -> VectorIndex:
    """An index of 500 tracks, of either kind."""
    built: VectorIndex = request.param(ids(500), clustered(500))
    return built


def test_a_track_is_its_own_nearest(index: VectorIndex) -> None:
    """A track's own embedding finds it first, with a similarity of 1."""
    (nearest,) = index.search(clustered(500)[42], 1)
    assert track_id(42) == nearest.track_id
    assert pytest.approx(1, abs=1e-5) == nearest.similarity


def test_the_nearest_come_first(index: VectorIndex) -> None:
    """Similarities fall, and are in [-1, 1]."""
    similarities = [neighbour.similarity for neighbour in index.search(clustered(500)[0], 500)]
    assert sorted(similarities, reverse=True) == similarities
    assert all(-1 <= similarity <= 1 for similarity in similarities)


def test_excluded_tracks(index: VectorIndex) -> None:
    """Excluded tracks are replaced by others."""
    query = clustered(500)[7]
    excluded = {neighbour.track_id for neighbour in index.search(query, 3)}
    neighbours = index.search(query, 5, excluded)
    assert 5 == len(neighbours)
    assert not excluded & {neighbour.track_id for neighbour in neighbours}


def test_more_than_the_index_has(index: VectorIndex) -> None:
    """A search for more tracks than the index has returns all of them."""
    assert 500 == len(index.search(clustered(500)[0], 10_000))
    assert 499 == len(index.search(clustered(500)[0], 10_000, {track_id(3)}))


@pytest.mark.parametrize("build", [ExactIndex, HnswIndex.build])
def test_an_empty_index(build: type[ExactIndex]) -> None:
    """An empty index returns no tracks."""
    assert [] == build([], np.zeros((0, WIDTH), np.float32)).search(clustered(1)[0], 5)


@pytest.mark.parametrize("build", [ExactIndex, HnswIndex.build])
def test_ties_break_by_id(build: type[ExactIndex]) -> None:
    """Equally near tracks come in the order of their ids, in whatever order they were added."""
    vector = clustered(1)
    index = build(["c", "a", "d", "b"], np.repeat(vector, 4, axis=0))
    assert ["a", "b", "c", "d"] == [neighbour.track_id for neighbour in index.search(vector[0], 4)]


def test_exact_ties_at_the_cut() -> None:
    """Among equally near tracks, exact search leaves out those with the last ids."""
    vector = clustered(1)
    index = ExactIndex(["c", "a", "d", "b"], np.repeat(vector, 4, axis=0))
    assert ["a", "b"] == [neighbour.track_id for neighbour in index.search(vector[0], 2)]


@pytest.mark.parametrize(("count", "min_recall"), [(1_000, 0.999), (10_000, 0.99)])
def test_recall_against_exact_search(count: int, min_recall: float) -> None:
    """The graph finds nearly all of the ten nearest tracks that exact search finds."""
    vectors = clustered(count)
    exact, graph = ExactIndex(ids(count), vectors), HnswIndex.build(ids(count), vectors)
    queries = clustered(50, seed=1)
    shared = [
        len({n.track_id for n in exact.search(query, 10)} & {n.track_id for n in graph.search(query, 10)})
        for query in queries
    ]
    assert np.mean(shared) / 10 >= min_recall


def test_pages_have_no_track_twice() -> None:
    """The first results of a longer search are those of a shorter one, so pages of a seed do not repeat tracks."""
    vectors = np.random.default_rng(3).standard_normal((2_000, 32)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    graph = HnswIndex.build(ids(2_000), vectors)
    for query in vectors[:100]:
        longest = graph.search(query, 60)
        assert longest[:10] == graph.search(query, 10)
        assert longest[:35] == graph.search(query, 35)


def test_saved_and_loaded(tmp_path: Path) -> None:
    """A loaded graph gives the same results as the saved one."""
    built = HnswIndex.build(ids(500), clustered(500))
    built.save(tmp_path / "index")
    loaded = HnswIndex.load(tmp_path / "index", ids(500), WIDTH)
    assert built.search(clustered(500)[9], 10) == loaded.search(clustered(500)[9], 10)


def test_another_number_of_tracks(tmp_path: Path) -> None:
    """A graph with another number of tracks than its ids is refused."""
    HnswIndex.build(ids(10), clustered(10)).save(tmp_path / "index")
    with pytest.raises(SnapshotDamaged, match="10 tracks, not 11"):
        HnswIndex.load(tmp_path / "index", ids(11), WIDTH)


@pytest.mark.parametrize("count", [0, 1, 2_500])
def test_embeddings_of_tracks(count: int) -> None:
    """Each track has its own embedding, in an index of any size; an unknown track has none."""
    expected = clustered(max(1, count))[:count]
    index = HnswIndex.build(ids(count), expected)
    *actual, unknown = index.vectors([*ids(count), "unknown"])
    assert unknown is None
    assert [] == [row for row in range(count) if np.abs(expected[row] - actual[row]).max() > 1e-6]


def test_many_excluded_tracks() -> None:
    """With most tracks excluded, the graph gives the same results as exact search."""
    vectors, excluded = clustered(500), set(ids(400))
    expected = ExactIndex(ids(500), vectors).search(vectors[0], 10, excluded)
    actual = HnswIndex.build(ids(500), vectors).search(vectors[0], 10, excluded)
    assert [neighbour.track_id for neighbour in expected] == [neighbour.track_id for neighbour in actual]
