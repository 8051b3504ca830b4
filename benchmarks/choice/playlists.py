"""Measures playlists: how smooth paths are, and what they cost in comparison with recommendations.

    python -m benchmarks.choice.playlists [--tracks 100000] [--paths 100] [--length 25] [--data FOLDER]

Finds paths between random tracks, and prints the greatest and the mean angle between neighbours, and those of other
ways: the same tracks in a random order, random tracks, a walk to the nearest track each time that ends with a jump to
the end, and the track nearest to each point between the ends. Then it prints the milliseconds of a search for a
continuation and for a path, and their ratio to one for ten recommendations. The tracks are invented mixtures of some
styles; with ``--data``, those of a catalogue, without their artists.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from segue.core.catalogue.records import TrackFacts
from segue.core.catalogue.store import all_track_ids
from segue.core.index.vector_index import HnswIndex, Vectors
from segue.core.redis_catalogue.open import open_store
from segue.core.selection.criteria import Criteria
from segue.core.selection.track_query import TrackQuery
from segue.core.selection.track_table import TrackTable
from segue.core.selection.view import View
from segue.server.live_catalogue.catalogue_search import CatalogueSearch
from segue.server.live_catalogue.playlists.continuation import PlayedList
from segue.server.live_catalogue.playlists.paths import angle_between, waypoints
from segue.server.live_catalogue.playlists.search import ContinuationQuery, PathEnd, PathQuery, PlaylistSearch
from segue.server.observability.metrics import Metrics

WIDTH = 200  # of segue-accurate's embeddings
STYLES = 20
LIST = 10
Way = Sequence[int]
"""Tracks in their order, by number."""


class Catalogue:
    """A catalogue in memory, as ``LiveCatalogue`` has it.

    Attributes:
        vectors: the embeddings [n, e] of the tracks.
        table: their artists.
        damaged_tracks: none.
    """

    damaged_tracks: frozenset[str] = frozenset()

    def __init__(self, vectors: Vectors, tracks_of_artist: int) -> None:
        """Builds the index.

        Args:
            vectors: the embeddings [n, e] of the tracks.
            tracks_of_artist: number of tracks by each artist, or 0 if the artists are unknown.
        """
        self.vectors, self.table = vectors, TrackTable()
        ids = [track_id(number) for number in range(len(vectors))]
        self._view = View(base=HnswIndex.build(ids, vectors), base_ids=frozenset(ids))
        self._view.prepare()
        artists = [f"Artist {number // tracks_of_artist}" if tracks_of_artist else "" for number in range(len(ids))]
        self.table.put(ids, (TrackFacts("", artist=artist) for artist in artists))
        self.table.is_complete = True

    @property
    def store(self) -> object:
        """No store: all is in memory."""
        raise NotImplementedError

    def searchable_view(self) -> View:
        """Returns the tracks."""
        return self._view


class Smoothness(NamedTuple):
    """The angles between the neighbours of a path in degrees.

    Attributes:
        greatest: the greatest one.
        mean: their mean.
    """

    greatest: float
    mean: float


def mixtures(count: int, width: int) -> Vectors:
    """Returns vectors [count, width] of length 1, each a mixture of some styles with noise of half that length."""
    dice = np.random.default_rng(1)
    styles = unit(dice.standard_normal((STYLES, width)))
    mixed = unit(dice.dirichlet(np.full(STYLES, 0.2), count) @ styles)
    return unit(mixed + 0.5 * unit(dice.standard_normal((count, width)))).astype(np.float32)


def unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns vectors [n, e] of length 1 in the same directions."""
    units: NDArray[np.float64] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return units


def track_id(number: int) -> str:
    """Returns the id of the track with a number."""
    return f"{number:032x}"


def smoothness(vectors: Vectors, path: Way) -> Smoothness:
    """Returns the smoothness of a path of tracks, by their numbers."""
    steps = [np.degrees(angle_between(vectors[one], vectors[other])) for one, other in pairwise(path)]
    return Smoothness(max(steps), float(np.mean(steps)))


def nearest_neighbours(vectors: Vectors, start: int, end: int, length: int) -> list[int]:
    """Returns a walk to the nearest track that is not in it yet, which ends with a jump."""
    path, is_open = [start], np.ones(len(vectors), np.bool_)
    is_open[[start, end]] = False
    while len(path) < length - 1:
        path.append(int(np.where(is_open, vectors @ vectors[path[-1]], -np.inf).argmax()))
        is_open[path[-1]] = False
    return [*path, end]


def nearest_to_points(vectors: Vectors, start: int, end: int, length: int) -> list[int]:
    """Returns the tracks nearest to the points of the way, none twice."""
    is_open = np.ones(len(vectors), np.bool_)
    is_open[[start, end]] = False
    path = [start]
    for point in waypoints(vectors[start], vectors[end], length - 2):
        path.append(int(np.where(is_open, vectors @ point, -np.inf).argmax()))
        is_open[path[-1]] = False
    return [*path, end]


def found_path(search: PlaylistSearch, vectors: Vectors, start: int, end: int, length: int) -> list[int]:
    """Returns the path that Segue finds."""
    ends = [PathEnd(vectors[number], track_id(number), is_track=True) for number in (start, end)]
    path = search.find_path(PathQuery(ends[0], ends[1], length - 2, Criteria()))
    return [int(neighbour.track_id, 16) for neighbour in path.found.neighbours]


def print_smoothness(catalogue: Catalogue, search: PlaylistSearch, pairs: NDArray[np.int64], length: int) -> None:
    """Prints the smoothness of paths between pairs [p, 2] of tracks, and of other ways."""
    vectors, dice = catalogue.vectors, np.random.default_rng(3)
    results: dict[str, list[Smoothness]] = {}
    for start, end in pairs.tolist():
        path = found_path(search, vectors, start, end, length)
        inner = [number for number in dice.permutation(len(vectors))[:length].tolist() if number not in (start, end)]
        ways = {
            "FindPath": path,
            "nearest to each point": nearest_to_points(vectors, start, end, length),
            "nearest neighbours, then the end": nearest_neighbours(vectors, start, end, length),
            "its tracks in random order": [start, *dice.permutation(path[1:-1]).tolist(), end],
            "random tracks": [start, *inner[: length - 2], end],
        }
        for name, way in ways.items():
            results.setdefault(name, []).append(smoothness(vectors, way))
    print(f"{'angle between neighbours, medians':36}greatest     mean")
    for name, all_of_way in results.items():
        greatest, mean = (statistics.median(column) for column in zip(*all_of_way, strict=True))
        print(f"{name:36}{greatest:7.1f}°{mean:8.1f}°")
    by_pair = zip(results["FindPath"], *[results[name] for name in list(results)[1:]], strict=True)
    wins = sum(mine.greatest <= min(other.greatest for other in others) for mine, *others in by_pair)
    print(f"FindPath has the least greatest step in {wins} of {len(pairs)} paths")


def milliseconds(work: Callable[[int], object], numbers: Sequence[int]) -> float:
    """Returns the median duration of some work for each number."""
    durations = []
    for number in numbers:
        begun = time.perf_counter()
        work(number)
        durations.append(1e3 * (time.perf_counter() - begun))
    return statistics.median(durations)


def print_cost(
    catalogue: Catalogue, nearest: CatalogueSearch, search: PlaylistSearch, pairs: NDArray[np.int64], length: int
) -> None:
    """Prints the durations of searches."""
    vectors = catalogue.vectors

    def recommend(number: int) -> object:
        return nearest.find(TrackQuery(vectors[number], 10, frozenset({track_id(number)})))

    def continue_list(number: int) -> object:
        items = list(range(number, max(-1, number - LIST), -1))
        played = PlayedList(vectors[items], np.ones(len(items)), 5.0)
        total = played.all_weights @ vectors[items]
        start = (total / np.linalg.norm(total)).astype(np.float32)
        ids = [track_id(item) for item in items]
        return search.continue_list(ContinuationQuery(played, start, frozenset(ids), ids[-1], length, Criteria()))

    ends = dict(pairs.tolist())
    plain = milliseconds(recommend, [*ends])
    print(f"{'a search for':36}milliseconds")
    print(f"{'10 recommendations':36}{plain:7.2f}")
    others = {
        f"{length} tracks that continue {LIST}": continue_list,
        f"a path of {length} tracks": lambda number: found_path(search, vectors, number, ends[number], length),
    }
    for name, work in others.items():
        cost = milliseconds(work, [*ends])
        print(f"{name:36}{cost:7.2f}   {cost / plain:.1f} times that of recommendations")


def read_vectors(data: Path) -> Vectors:
    """Returns the embeddings [n, e] of a catalogue."""
    with open_store(data) as store:
        return np.stack([vector for vector in store.embeddings(list(all_track_ids(store))) if vector is not None])


def main() -> None:
    """Prints the smoothness, then the durations."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tracks", type=int, default=100_000)
    parser.add_argument("--paths", type=int, default=100)
    parser.add_argument("--length", type=int, default=25)
    parser.add_argument("--data", type=Path)
    options = parser.parse_args()
    vectors = read_vectors(options.data) if options.data else mixtures(options.tracks, WIDTH)
    catalogue = Catalogue(vectors, 0 if options.data else 10)
    print(f"{len(catalogue.vectors):,} tracks, {options.paths} paths of {options.length} tracks")
    nearest = CatalogueSearch(catalogue, Metrics())  # type: ignore[arg-type] # it has no store
    search = PlaylistSearch(nearest, Metrics())
    dice = np.random.default_rng(2)
    pairs = np.array([dice.permutation(len(catalogue.vectors))[:2] for _ in range(options.paths)])
    print_smoothness(catalogue, search, pairs, options.length)
    print_cost(catalogue, nearest, search, pairs, options.length)


if __name__ == "__main__":
    main()
