"""Nearest neighbours by the cosine of embeddings: hnswlib's graph, and exact search as its oracle."""

from __future__ import annotations

import errno
from collections.abc import Collection, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from segue.core.errors import SnapshotDamaged

Vectors = NDArray[np.float32]

# hnswlib's own names. With ef at its default of 10, recall@10 falls to 0.77 at 100,000 vectors.
GRAPH_DEGREE = 16
EF_CONSTRUCTION = 200
EF_SEARCH = 256
# The graph can only find more and leave them out; from here on comparing with every track is quicker.
_MOST_PASSED_OVER = 64
# hnswlib gives 1,000 embeddings in some 10 ms, in which no other thread of Python runs.
_ROWS_AT_ONCE = 1_000


class Neighbour(NamedTuple):
    """A track and the cosine of the angle to the query, [-1, 1]; higher is nearer."""

    track_id: str
    similarity: float


class VectorIndex(Protocol):
    """Finds the tracks whose embeddings have the smallest angle to a query. It never changes."""

    def __len__(self) -> int:
        """How many tracks it holds."""
        ...

    def search(self, query: Vectors, k: int, exclude: Collection[str] = ()) -> list[Neighbour]:
        """The ``k`` nearest tracks.

        Args:
            query: an embedding [e] of length 1.
            k: how many, at least 1; fewer are answered where there are fewer.
            exclude: tracks to leave out.

        Returns:
            The nearest first; equal similarities in the order of their ids.
        """
        ...

    def vectors(self, track_ids: Sequence[str]) -> list[Vectors | None]:
        """The embeddings [e] of these tracks, None for each that it does not hold."""
        ...


class ExactIndex:
    """Compares the query with every track. The oracle for every other index."""

    def __init__(self, track_ids: Sequence[str], vectors: Vectors) -> None:
        """Takes ids [n] and embeddings [n, e] of length 1."""
        self._track_ids = track_ids
        self._vectors = vectors

    def __len__(self) -> int:
        return len(self._track_ids)

    def search(self, query: Vectors, k: int, exclude: Collection[str] = ()) -> list[Neighbour]:
        """The ``k`` nearest tracks; see ``VectorIndex``."""
        if not self._track_ids:
            return []
        similarities = self._vectors @ query
        wanted = min(len(self), k + len(exclude))
        # Everything that is as near as the last one wanted, so that ties are broken by id and not by position.
        least = np.partition(similarities, -wanted)[-wanted]
        rows = np.flatnonzero(similarities >= least).tolist()
        return ranked([Neighbour(self._track_ids[row], float(similarities[row])) for row in rows], k, exclude)

    def vectors(self, track_ids: Sequence[str]) -> list[Vectors | None]:
        """The embeddings [e] of these tracks; see ``VectorIndex``."""
        rows = [self._rows.get(track_id) for track_id in track_ids]
        return [None if row is None else self._vectors[row] for row in rows]

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {track_id: row for row, track_id in enumerate(self._track_ids)}


class HnswIndex:
    """A navigable small-world graph (Malkov and Yashunin 2016), by hnswlib."""

    def __init__(self, track_ids: Sequence[str], graph: Any) -> None:  # noqa: ANN401 - hnswlib ships no types
        self.track_ids = track_ids
        self._graph = graph
        graph.set_ef(EF_SEARCH)  # not saved with the graph

    @classmethod
    def build(cls, track_ids: Sequence[str], vectors: Vectors, threads: int = -1) -> HnswIndex:
        """Builds the graph of ids [n] and embeddings [n, e] of length 1; ``threads`` -1 is one for each core."""
        import hnswlib  # noqa: PLC0415 - the trainer has no need of it

        graph = hnswlib.Index(space="cosine", dim=vectors.shape[1])
        graph.init_index(max_elements=max(1, len(track_ids)), M=GRAPH_DEGREE, ef_construction=EF_CONSTRUCTION)
        if track_ids:
            graph.add_items(vectors, np.arange(len(track_ids)), num_threads=threads)
        return cls(track_ids, graph)

    @classmethod
    def load(cls, path: Path, track_ids: Sequence[str], width: int) -> HnswIndex:
        """Loads a graph that ``save`` wrote. The file's digest must be checked first: hnswlib trusts what it reads.

        Raises:
            SnapshotDamaged: hnswlib refuses the file, or it holds another number of tracks.
        """
        import hnswlib  # noqa: PLC0415 - the trainer has no need of it

        graph = hnswlib.Index(space="cosine", dim=width)
        try:
            graph.load_index(str(path))
        except RuntimeError as error:
            raise SnapshotDamaged(f"hnswlib cannot read {path}: {error}. Run segue-indexer again.") from error
        if graph.get_current_count() != len(track_ids):
            raise SnapshotDamaged(
                f"{path} holds {graph.get_current_count()} tracks, not {len(track_ids)}. Run segue-indexer again."
            )
        return cls(track_ids, graph)

    def save(self, path: Path) -> None:
        """Writes the graph; the ids are not in it.

        Raises:
            OSError: it could not be written whole: the disk is full, or there is no such folder.
        """
        self._graph.save_index(str(path))
        # hnswlib does not look at what came of its writing.
        written, expected = path.stat().st_size, self._graph.index_file_size()
        if written != expected:
            raise OSError(errno.ENOSPC, f"only {written:,} of {expected:,} bytes could be written", str(path))

    def __len__(self) -> int:
        return len(self.track_ids)

    def search(self, query: Vectors, k: int, exclude: Collection[str] = ()) -> list[Neighbour]:
        """The ``k`` nearest tracks; see ``VectorIndex``."""
        wanted = min(len(self), k + len(exclude))
        if wanted == 0:
            return []
        if len(exclude) > _MOST_PASSED_OVER:
            return self._exact.search(query, k, exclude)
        try:
            rows, distances = self._graph.knn_query(query, k=wanted, num_threads=1)
        except RuntimeError:  # the graph's beam met fewer tracks than are wanted
            return self._exact.search(query, k, exclude)
        found = [
            Neighbour(self.track_ids[row], float(1 - distance))
            for row, distance in zip(rows[0], distances[0], strict=True)
        ]
        return ranked(found, k, exclude)

    def vectors(self, track_ids: Sequence[str]) -> list[Vectors | None]:
        """The embeddings [e] of these tracks; see ``VectorIndex``."""
        return self._exact.vectors(track_ids)

    @cached_property
    def _exact(self) -> ExactIndex:
        """The same tracks for exact search; made once, when it is first needed."""
        vectors = np.empty((len(self), self._graph.dim), np.float32)
        for start in range(0, len(self), _ROWS_AT_ONCE):
            rows = np.arange(start, min(start + _ROWS_AT_ONCE, len(self)))
            vectors[rows] = self._graph.get_items(rows)
        return ExactIndex(self.track_ids, vectors)


def ranked(found: list[Neighbour], k: int, exclude: Collection[str] = ()) -> list[Neighbour]:
    """The ``k`` nearest of ``found``, best first, equal similarities in the order of their ids."""
    kept = [
        Neighbour(neighbour.track_id, min(1.0, max(-1.0, neighbour.similarity)))
        for neighbour in found
        if neighbour.track_id not in exclude
    ]
    return sorted(kept, key=lambda neighbour: (-neighbour.similarity, neighbour.track_id))[:k]
