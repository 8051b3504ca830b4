from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from segue.core.errors import SnapshotDamaged
from segue.core.index.vector_index import ExactIndex, HnswIndex, VectorIndex, Vectors

WIDTH = 64


def clustered(count: int, seed: int = 0) -> Vectors:
    """Embeddings [count, 64] of length 1 around fifty centres."""
    random = np.random.default_rng(seed)
    centres = random.standard_normal((50, WIDTH))
    vectors = centres[random.integers(50, size=count)] + 0.5 * random.standard_normal((count, WIDTH))
    unit: Vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return unit


def names(count: int) -> list[str]:
    """Ids in their order."""
    return [f"{number:032x}" for number in range(count)]


@pytest.fixture(params=[ExactIndex, HnswIndex.build], ids=["exact", "hnsw"])
def index(request: pytest.FixtureRequest) -> VectorIndex:
    """An index of 500 tracks, of each kind."""
    built: VectorIndex = request.param(names(500), clustered(500))
    return built


def test_a_track_is_its_own_nearest(index: VectorIndex) -> None:
    """A track's own embedding finds it first, with a similarity of 1."""
    (best,) = index.search(clustered(500)[42], 1)
    assert names(500)[42] == best.track_id
    assert pytest.approx(1, abs=1e-5) == best.similarity


def test_best_first(index: VectorIndex) -> None:
    """Similarities fall, and stay in [-1, 1]."""
    similarities = [neighbour.similarity for neighbour in index.search(clustered(500)[0], 500)]
    assert sorted(similarities, reverse=True) == similarities
    assert all(-1 <= similarity <= 1 for similarity in similarities)


def test_without(index: VectorIndex) -> None:
    """What is left out makes room for others."""
    query = clustered(500)[7]
    left_out = {neighbour.track_id for neighbour in index.search(query, 3)}
    found = index.search(query, 5, left_out)
    assert 5 == len(found)
    assert not left_out & {neighbour.track_id for neighbour in found}


def test_more_than_there_are(index: VectorIndex) -> None:
    """Asking for more than there are answers all there are."""
    assert 500 == len(index.search(clustered(500)[0], 10_000))
    assert 499 == len(index.search(clustered(500)[0], 10_000, {names(500)[3]}))


@pytest.mark.parametrize("build", [ExactIndex, HnswIndex.build])
def test_nothing_to_find(build: type[ExactIndex]) -> None:
    """An empty index answers nothing."""
    assert [] == build([], np.zeros((0, WIDTH), np.float32)).search(clustered(1)[0], 5)


@pytest.mark.parametrize("build", [ExactIndex, HnswIndex.build])
def test_ties_break_by_id(build: type[ExactIndex]) -> None:
    """Tracks that are equally near come in the order of their ids, whatever the order they were added in."""
    vector = clustered(1)
    index = build(["c", "a", "d", "b"], np.repeat(vector, 4, axis=0))
    assert ["a", "b", "c", "d"] == [neighbour.track_id for neighbour in index.search(vector[0], 4)]


def test_exact_ties_at_the_cut() -> None:
    """Of equally near tracks, exact search leaves out those with the last ids."""
    vector = clustered(1)
    index = ExactIndex(["c", "a", "d", "b"], np.repeat(vector, 4, axis=0))
    assert ["a", "b"] == [neighbour.track_id for neighbour in index.search(vector[0], 2)]


@pytest.mark.parametrize(("count", "least_recall"), [(1_000, 0.999), (10_000, 0.99)])
def test_recall_against_exact_search(count: int, least_recall: float) -> None:
    """The graph finds the ten nearest that exact search finds."""
    vectors = clustered(count)
    exact, graph = ExactIndex(names(count), vectors), HnswIndex.build(names(count), vectors)
    queries = clustered(50, seed=1)
    shared = [
        len({n.track_id for n in exact.search(query, 10)} & {n.track_id for n in graph.search(query, 10)})
        for query in queries
    ]
    assert np.mean(shared) / 10 >= least_recall


def test_saved_and_loaded(tmp_path: Path) -> None:
    """A loaded graph answers what the saved one did."""
    built = HnswIndex.build(names(500), clustered(500))
    built.save(tmp_path / "index")
    loaded = HnswIndex.load(tmp_path / "index", names(500), WIDTH)
    assert built.search(clustered(500)[9], 10) == loaded.search(clustered(500)[9], 10)


def test_another_number_of_tracks(tmp_path: Path) -> None:
    """A graph that does not fit its ids is refused."""
    HnswIndex.build(names(10), clustered(10)).save(tmp_path / "index")
    with pytest.raises(SnapshotDamaged, match="10 tracks, not 11"):
        HnswIndex.load(tmp_path / "index", names(11), WIDTH)


@pytest.mark.parametrize("count", [0, 1, 2_500])
def test_embeddings_come_back(count: int) -> None:
    """Each track has its own embedding, however many are read at once; a strange track has none."""
    vectors, index = clustered(max(1, count))[:count], HnswIndex.build(names(count), clustered(max(1, count))[:count])
    found = index.vectors([*names(count), "strange"])
    assert found.pop() is None
    assert [] == [row for row in range(count) if np.abs(vectors[row] - found[row]).max() > 1e-6]


def test_many_left_out() -> None:
    """Where most tracks are left out, the graph answers what exact search does."""
    ids, vectors = names(500), clustered(500)
    without = set(ids[:400])
    expected = ExactIndex(ids, vectors).search(vectors[0], 10, without)
    actual = HnswIndex.build(ids, vectors).search(vectors[0], 10, without)
    assert [neighbour.track_id for neighbour in expected] == [neighbour.track_id for neighbour in actual]
