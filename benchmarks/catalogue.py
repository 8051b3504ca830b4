"""Measures the cost of a catalogue of invented tracks, and the recall of its published index, in one run.

    python benchmarks/catalogue.py 10000 100000

For each number of tracks it prints the Redis memory and the disk space of a track; the seconds to write the catalogue,
to publish the index, to load it, and to read all embeddings without an index; and recall@10 against exact search,
before and after 30 % of the tracks are removed.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from redis import Redis

from segue.core.catalogue.records import Addition, PathRecord, Track
from segue.core.catalogue.store import all_track_ids
from segue.core.index.publishing import publish
from segue.core.index.snapshot import load_newest
from segue.core.index.vector_index import ExactIndex, VectorIndex
from segue.core.redis_catalogue.open import open_store
from segue.core.redis_catalogue.store import RedisStore

WIDTH = 106  # of segue-fast's embeddings
GENRES = 10
CLUSTER = 100
QUERIES, K = 1_000, 10
PAGE = 2_000


def clustered(count: int, seed: int, width: int = WIDTH) -> NDArray[np.float32]:
    """Returns vectors [count, width] of length 1, in clusters of about a hundred with a cosine of about 0.8 in each."""
    dice = np.random.default_rng(seed)
    centres = _unit(dice.standard_normal((max(1, count // CLUSTER), width), np.float32))
    noise = _unit(dice.standard_normal((count, width), np.float32))
    return _unit(centres[dice.integers(len(centres), size=count)] + 0.5 * noise)


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    unit: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def additions(vectors: NDArray[np.float32]) -> Iterator[list[Addition]]:
    """Yields tracks with metadata of typical length, in pages."""
    for start in range(0, len(vectors), PAGE):
        yield [addition(number, vectors[number]) for number in range(start, min(start + PAGE, len(vectors)))]


def addition(number: int, vector: NDArray[np.float32]) -> Addition:
    """Returns an invented track."""
    track_id = f"{number * 0x9E3779B97F4A7C15 % 2**128:032x}"
    path = f"/music/Artist {number // 100}/Album {number // 10}/{number % 10:02} A title of usual length.flac"
    posterior = {f"genre {place}": (place + 0.123456789) / 46.23456789 for place in range(GENRES)}
    track = Track(
        track_id,
        title=f"A title of usual length {number}",
        artist=f"Artist {number // 100}",
        album=f"Album {number // 10}",
        genre="genre 9",
        seconds=215.3,
        path=path,
        posterior=posterior,
    )
    return Addition(track, vector, PathRecord(path, 31_234_567, 1_700_000_000_000_000_000 + number, track_id))


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Returns the seconds and the processor seconds that some work takes this process."""
    wall, processor = time.monotonic(), time.process_time()
    work()
    return time.monotonic() - wall, time.process_time() - processor


def print_cost(name: str, cost: tuple[float, float]) -> None:
    """Prints a line with seconds and processor seconds."""
    print(f"  {name:42} {cost[0]:9.2f} s  {cost[1]:9.2f} s of one core", flush=True)


def recall(index: VectorIndex, exact: ExactIndex, queries: NDArray[np.float32]) -> float:
    """Returns the share of the exact ten nearest that the index returns, over all queries."""
    hits = 0
    for query in queries:
        expected = {neighbour.track_id for neighbour in exact.search(query, K)}
        hits += len(expected & {neighbour.track_id for neighbour in index.search(query, K)})
    return hits / (K * len(queries))


def published_recall(data: Path, store: RedisStore, queries: NDArray[np.float32]) -> float:
    """Returns the recall of the index that a server would load."""
    identity = store.identity()
    snapshot = None if identity is None else load_newest(data, identity)
    if snapshot is None:
        sys.exit("no index was published")
    ids = list(all_track_ids(store))
    vectors = np.stack([vector for vector in store.embeddings(ids) if vector is not None])
    return recall(snapshot.index, ExactIndex(ids, vectors), queries)


def size(path: Path) -> int:
    """Returns the bytes of all files in a folder."""
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def redis_bytes(store: RedisStore) -> int:
    """Returns the bytes of memory that Redis uses."""
    with closing(Redis.from_url(store.address, protocol=2)) as client:
        return int(client.info("memory")["used_memory"])


def measure(count: int, data: Path) -> None:
    """Measures a catalogue with a number of tracks, and prints the results."""
    print(f"{count:,} tracks", flush=True)
    vectors, queries = clustered(count, seed=1), clustered(count, seed=1)[:QUERIES]
    queries = _unit(queries + 0.3 * _unit(np.random.default_rng(2).standard_normal(queries.shape, np.float32)))
    with open_store(data) as store:
        empty = redis_bytes(store)
        with store.writer("invented", "invented", WIDTH) as writer:
            print_cost("written, synced", timed(lambda: [writer.add(page) for page in additions(vectors)]))
        print(f"  Redis memory a track                       {(redis_bytes(store) - empty) / count:9.0f} bytes")
        print(f"  log of commands a track                    {size(data / 'redis') / count:9.0f} bytes")
        print_cost("index built and published", timed(lambda: publish(data, store)))
        print(f"  index on disk a track                      {size(data / 'snapshots') / count:9.0f} bytes")
        identity = store.identity()
        print_cost("index checked and loaded", timed(lambda: identity and load_newest(data, identity)))
        print_cost("all embeddings read, without an index", timed(lambda: store.embeddings(list(all_track_ids(store)))))
        print(f"  recall@{K}                                  {published_recall(data, store, queries):9.4f}")
        removed = list(all_track_ids(store))[::10] + list(all_track_ids(store))[1::5]
        with store.writer("invented", "invented", WIDTH) as writer:
            print_cost(f"{len(removed) / count:.0%} removed", timed(lambda: writer.remove(removed)))
        publish(data, store)
        print(f"  recall@{K} after that                       {published_recall(data, store, queries):9.4f}")
    print_cost("private Redis started and stopped with it", timed(lambda: start_and_stop(data)))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"  peak memory of this process                {peak:9.0f} MiB")


def start_and_stop(data: Path) -> None:
    """Opens and closes a catalogue that no other program uses."""
    with open_store(data) as store:
        store.count()


def main() -> None:
    """Measures a catalogue of each size in the arguments."""
    sizes = [int(name) for name in sys.argv[1:]]
    if not sizes:
        sys.exit(__doc__)
    for count in sizes:
        with tempfile.TemporaryDirectory() as folder:
            measure(count, Path(folder))


if __name__ == "__main__":
    main()
