"""Searches nearest neighbours by cosine similarity: with hnswlib's graph, or exactly."""

from __future__ import annotations

import errno
from collections.abc import Collection, Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from segue.core.errors import SnapshotDamaged

Vectors = NDArray[np.float32]

# Named as in hnswlib. With its default ef of 10, recall@10 falls to 0.77 at 100,000 vectors.
GRAPH_DEGREE = 16
EF_CONSTRUCTION = 200
EF_SEARCH = 256
# The graph cannot exclude tracks, only return more of them. With more exclusions than this, exact search is faster.
_MAX_GRAPH_EXCLUSIONS = 64
COPY_COST = 8
"""An embedding that is copied to be compared takes about so many times as long as one that is compared where it is."""

# hnswlib returns 1,000 embeddings in some 10 ms, during which no other thread of Python runs.
_ROWS_AT_ONCE = 1_000


class Neighbour(NamedTuple):
    """A track and the cosine of its angle to the query, [-1, 1]; higher is nearer."""

    track_id: str
    similarity: float


class VectorIndex(Protocol):
    """An immutable index that finds the tracks with the smallest angle to a query."""

    def __len__(self) -> int:
        """Returns the number of tracks."""
        ...

    def search(self, query: Vectors, k: int, exclude: Collection[str] = ()) -> list[Neighbour]:
        """Returns the ``k`` nearest tracks.

        Args:
            query: an embedding [e] of length 1.
            k: number of tracks, at least 1; fewer are returned if the index has fewer.
            exclude: ids of tracks to leave out.

        Returns:
            The nearest first; equal similarities in the order of their ids.
        """
        ...

    def search_exactly(self, query: Vectors, k: int, exclude: Collection[str] = ()) -> list[Neighbour]:
        """Returns what ``search`` returns if it misses nothing, from a comparison with every track."""
        ...

    def vectors(self, track_ids: Sequence[str]) -> list[Vectors | None]:
        """Returns the embeddings [e] of these tracks, with None for unknown ids."""
        ...

    def comparisons(self, exclude: int) -> int:
        """Returns the number of tracks that an exact search compares; 0 if a search with a graph suffices.

        Args:
            exclude: number of tracks to leave out.
        """
        ...

    @property
    def track_ids(self) -> Sequence[str]:
        """The ids [n] of the tracks by their rows."""
        ...

    def rows(self, track_ids: Iterable[str]) -> list[int]:
        """Returns the rows of these tracks, in any order, without unknown ones."""
        ...

    def similarities(self, query: Vectors, rows: NDArray[np.int64]) -> Vectors:
        """Returns the cosine [r] of the angle between the query and the tracks in these rows [r]."""
        ...

    def mean(self, rows: NDArray[np.int64]) -> Vectors:
        """Returns the mean [e] of the embeddings in these rows [r], which are at least one."""
        ...


class ExactIndex:
    """An index that compares the query with every track; the reference for every other index."""

    def __init__(self, track_ids: Sequence[str], vectors: Vectors) -> None:
        """Stores the tracks.

        Args:
            track_ids: ids [n].
            vectors: their embeddings [n, e] of length 1.
        """
        self.track_ids = track_ids
        self._vectors = vectors

    def __len__(self) -> int:
        return len(self.track_ids)

    def search(self, query: Vectors, k: int, exclude: Collection[str] = ()) -> list[Neighbour]:
        """Returns the ``k`` nearest tracks; see ``VectorIndex``."""
        if not self.track_ids:
            return []
        similarities = self._vectors @ query
        count = min(len(self), k + len(exclude))
        # All tracks as near as the last of them, so that ties are broken by id and not by position.
        lowest = np.partition(similarities, -count)[-count]
        rows = np.flatnonzero(similarities >= lowest)
        return ranked(_neighbours(self.track_ids, rows, similarities[rows]), k, exclude)

    search_exactly = search

    def vectors(self, track_ids: Sequence[str]) -> list[Vectors | None]:
        """Returns the embeddings [e] of these tracks; see ``VectorIndex``."""
        rows = [self._row_of.get(track_id) for track_id in track_ids]
        return [None if row is None else self._vectors[row] for row in rows]

    def comparisons(self, exclude: int) -> int:
        """Returns the number of tracks; see ``VectorIndex``."""
        return len(self)

    def rows(self, track_ids: Iterable[str]) -> list[int]:
        """Returns the rows of these tracks; see ``VectorIndex``."""
        return [self._row_of[track_id] for track_id in track_ids if track_id in self._row_of]

    def similarities(self, query: Vectors, rows: NDArray[np.int64]) -> Vectors:
        """Returns the similarities [r] of the tracks in some rows; see ``VectorIndex``."""
        # Comparing all tracks is quicker than copying the embeddings of many.
        few = len(rows) * COPY_COST < len(self)
        values: Vectors = self._vectors[rows] @ query if few else (self._vectors @ query)[rows]
        return values.clip(-1.0, 1.0)

    def mean(self, rows: NDArray[np.int64]) -> Vectors:
        """Returns the mean [e] of some embeddings; see ``VectorIndex``."""
        mean: Vectors = self._vectors[rows].mean(axis=0)
        return mean

    def nearest(self, queries: Vectors, k: int) -> tuple[NDArray[np.int64], Vectors]:
        """Returns the ``k`` nearest rows; see ``HnswIndex.nearest``."""
        found = [np.argsort(-(self._vectors @ query), kind="stable")[:k] for query in queries]
        similarities = [self._vectors[rows] @ query for rows, query in zip(found, queries, strict=True)]
        return np.stack(found), np.stack(similarities)

    @cached_property
    def _row_of(self) -> dict[str, int]:
        return {track_id: row for row, track_id in enumerate(self.track_ids)}


class HnswIndex:
    """An index by hnswlib's navigable small-world graph (Malkov and Yashunin 2016)."""

    def __init__(self, track_ids: Sequence[str], graph: Any) -> None:  # noqa: ANN401 - hnswlib ships no types
        self.track_ids = track_ids
        self._graph = graph
        graph.set_ef(EF_SEARCH)  # not saved with the graph

    @classmethod
    def build(cls, track_ids: Sequence[str], vectors: Vectors, threads: int = -1) -> HnswIndex:
        """Builds the graph.

        Args:
            track_ids: ids [n].
            vectors: their embeddings [n, e] of length 1.
            threads: number of threads, or -1 for one on each core.
        """
        import hnswlib  # noqa: PLC0415 - the trainer does not need it

        graph = hnswlib.Index(space="cosine", dim=vectors.shape[1])
        graph.init_index(max_elements=max(1, len(track_ids)), M=GRAPH_DEGREE, ef_construction=EF_CONSTRUCTION)
        if track_ids:
            graph.add_items(vectors, np.arange(len(track_ids)), num_threads=threads)
        return cls(track_ids, graph)

    @classmethod
    def load(cls, path: Path, track_ids: Sequence[str], width: int) -> HnswIndex:
        """Loads a graph that ``save`` wrote. Check the file's digest first: hnswlib does not check what it reads.

        Raises:
            SnapshotDamaged: hnswlib cannot load the file, or it has another number of tracks.
        """
        import hnswlib  # noqa: PLC0415 - the trainer does not need it

        graph = hnswlib.Index(space="cosine", dim=width)
        try:
            graph.load_index(str(path))
        except RuntimeError as error:
            raise SnapshotDamaged(f"hnswlib cannot read {path}: {error}. Run segue-indexer again.") from error
        if graph.get_current_count() != len(track_ids):
            raise SnapshotDamaged(
                f"{path} has {graph.get_current_count()} tracks, not {len(track_ids)}. Run segue-indexer again."
            )
        return cls(track_ids, graph)

    def save(self, path: Path) -> None:
        """Writes the graph without the ids.

        Raises:
            OSError: the file could not be written completely: the disk is full, or the folder does not exist.
        """
        self._graph.save_index(str(path))
        # hnswlib does not check whether its writing succeeded.
        written, expected = path.stat().st_size, self._graph.index_file_size()
        if written != expected:
            raise OSError(errno.ENOSPC, f"only {written:,} of {expected:,} bytes could be written", str(path))

    def __len__(self) -> int:
        return len(self.track_ids)

    def search(self, query: Vectors, k: int, exclude: Collection[str] = ()) -> list[Neighbour]:
        """Returns the ``k`` nearest tracks; see ``VectorIndex``."""
        count = min(len(self), k + len(exclude))
        if count == 0:
            return []
        if len(exclude) > _MAX_GRAPH_EXCLUSIONS:
            return self._exact.search(query, k, exclude)
        try:
            rows, distances = self._graph.knn_query(query, k=count, num_threads=1)
        except RuntimeError:  # the search in the graph reached fewer tracks than requested
            return self._exact.search(query, k, exclude)
        return ranked(_neighbours(self.track_ids, rows[0], 1 - distances[0]), k, exclude)

    def search_exactly(self, query: Vectors, k: int, exclude: Collection[str] = ()) -> list[Neighbour]:
        """Returns the ``k`` nearest tracks; see ``VectorIndex``."""
        return self._exact.search(query, k, exclude)

    def nearest(self, queries: Vectors, k: int) -> tuple[NDArray[np.int64], Vectors]:
        """Returns, for each of the queries [q, e], most of its ``k`` nearest rows [q, k] and their similarities [q, k].

        They are fewer if the index has fewer tracks. All cores work, and no other search may run at the same time.
        """
        count = min(len(self), k)
        self._graph.set_ef(2 * count)  # quicker than EF_SEARCH, and it finds nearly all that are very near
        try:
            rows, distances = self._graph.knn_query(queries, k=count)
        except RuntimeError:  # as in ``search``
            return self._exact.nearest(queries, count)
        finally:
            self._graph.set_ef(EF_SEARCH)
        return rows.astype(np.int64), 1 - distances

    def comparisons(self, exclude: int) -> int:
        """Returns 0, or the number of tracks if so many are left out that search is exact; see ``VectorIndex``."""
        return len(self) if exclude > _MAX_GRAPH_EXCLUSIONS else 0

    def vectors(self, track_ids: Sequence[str]) -> list[Vectors | None]:
        """Returns the embeddings [e] of these tracks; see ``VectorIndex``."""
        return self._exact.vectors(track_ids)

    def rows(self, track_ids: Iterable[str]) -> list[int]:
        """Returns the rows of these tracks; see ``VectorIndex``."""
        return self._exact.rows(track_ids)

    def similarities(self, query: Vectors, rows: NDArray[np.int64]) -> Vectors:
        """Returns the similarities [r] of the tracks in some rows; see ``VectorIndex``."""
        return self._exact.similarities(query, rows)

    def mean(self, rows: NDArray[np.int64]) -> Vectors:
        """Returns the mean [e] of some embeddings; see ``VectorIndex``."""
        return self._exact.mean(rows)

    @cached_property
    def _exact(self) -> ExactIndex:
        """The same tracks for exact search, built at its first use."""
        vectors = np.empty((len(self), self._graph.dim), np.float32)
        for start in range(0, len(self), _ROWS_AT_ONCE):
            rows = np.arange(start, min(start + _ROWS_AT_ONCE, len(self)))
            vectors[rows] = self._graph.get_items(rows)
        return ExactIndex(self.track_ids, vectors)


def _neighbours(track_ids: Sequence[str], rows: NDArray[Any], similarities: Vectors) -> list[Neighbour]:
    """Returns the tracks in some rows with their similarities, which rounding may have moved beyond 1."""
    values = similarities.clip(-1.0, 1.0).tolist()
    return list(map(Neighbour, map(track_ids.__getitem__, rows.tolist()), values))


def ranked(neighbours: Iterable[Neighbour], k: int, exclude: Collection[str] = ()) -> list[Neighbour]:
    """Returns the ``k`` nearest of some tracks, the nearest first, equal similarities in the order of their ids."""
    candidates = [neighbour for neighbour in neighbours if neighbour[0] not in exclude]
    candidates.sort(key=_rank)
    return candidates[:k]


def _rank(neighbour: Neighbour) -> tuple[float, str]:
    track_id, similarity = neighbour
    return -similarity, track_id
