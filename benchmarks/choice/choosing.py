"""Compares Recommend with filters, limits and diversity with plain Recommend, on one server in turns.

    python -m benchmarks.choice.choosing [--tracks 100000] [--seconds 5] [--rounds 3]

The tracks and the callers are those of ``benchmarks/recommend.py``, with embeddings in clusters as those of music; one
in ten is a copy of another. For each kind of request it prints the calls a second and their durations, the recall of
its ten tracks against a comparison with all tracks that meet the filter, and the ratio of its 99th percentile to that
of plain requests. Linux only.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.catalogue import clustered
from benchmarks.recommend import (
    COPIED,
    PROCESSES,
    Server,
    first_response,
    measure,
    running_server,
    track_id,
    write_catalogue,
)
from segue.core.model.artifact import Manifest, read_manifest
from segue.core.paths import shipped_models
from segue.v1.recommendation_service_pb2 import (
    RecommendRequest,
    RecommendResponse,
    TrackExclusion,
    TrackFilter,
    Variety,
)

REQUESTS = 1_000
COMPARED = 200
ALL = Variety(max_per_artist=0, keep_copies=True)


class Kind(NamedTuple):
    """A kind of request.

    Attributes:
        name: name in the output.
        request: the request without its seed.
        is_allowed: returns whether a track meets the filter, by its number; None if similarity is not the only order.
    """

    name: str
    request: RecommendRequest
    is_allowed: Callable[[int], bool] | None


def kinds(tracks: int, manifest: Manifest) -> list[Kind]:
    """Returns the kinds of requests, the plain one first."""
    genres, half = manifest.labels, len(manifest.labels) // 2
    rare = max(1, tracks // 100_000)  # artists of a hundred tracks each: one in a thousand
    everything = TrackFilter(
        genres=genres[:half],
        min_year=1980,
        max_year=1990,
        folders=["/music"],
        min_similarity=-1,
        exclude=TrackExclusion(artists=["Artist 1"], folders=["/music/Artist 2"]),
    )
    return [
        Kind("plain", RecommendRequest(variety=ALL), lambda _: True),
        Kind(
            "half",
            RecommendRequest(variety=ALL, filter=TrackFilter(genres=genres[:half])),
            lambda n: n % len(genres) < half,
        ),
        Kind(
            "one in a thousand",
            RecommendRequest(variety=ALL, filter=TrackFilter(artists=[f"Artist {n}" for n in range(rare)])),
            lambda n: n < 100 * rare,
        ),
        Kind("limits", RecommendRequest(variety=Variety(max_per_artist=1, max_per_album=1)), None),
        Kind("everything", RecommendRequest(filter=everything, variety=Variety(max_per_album=1, diversity=0.3)), None),
    ]


def encoded(kind: Kind, number: int) -> bytes:
    """Returns a request for the track with a number."""
    request = RecommendRequest(track_id=track_id(number))
    request.MergeFrom(kind.request)
    return request.SerializeToString()


def recall(kind: Kind, address: str, vectors: NDArray[np.float32], numbers: list[int]) -> float:
    """Returns the share of the ten nearest allowed tracks that the responses have."""
    allowed = np.array([number for number in range(len(vectors)) if kind.is_allowed and kind.is_allowed(number)])
    found = 0
    for number in numbers:
        others = allowed[allowed != number]
        nearest = others[np.argsort(-(vectors[others] @ vectors[number]), kind="stable")[:10]]
        response = RecommendResponse.FromString(first_response(address, encoded(kind, number)))
        ids = {item.track.track_id for item in response.recommendations}
        found += len(ids & {track_id(int(one)) for one in nearest})
    return found / (10 * len(numbers))


def _nearly(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns vectors [n, e] with a cosine of about 0.998 to these, as copies have."""
    noise = np.random.default_rng(3).standard_normal(vectors.shape, np.float32)
    near = vectors + 0.06 * noise / np.linalg.norm(noise, axis=1, keepdims=True)
    units: NDArray[np.float32] = near / np.linalg.norm(near, axis=1, keepdims=True)
    return units


def main() -> None:
    """Prints a line for each kind and round, then the recall and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tracks", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--model", default="segue-accurate")
    parser.add_argument("--settle", type=float, default=60.0, help="seconds before the first round")
    options = parser.parse_args()
    manifest = read_manifest(shipped_models() / options.model)
    numbers = np.random.default_rng(2).integers(options.tracks, size=REQUESTS).tolist()
    with tempfile.TemporaryDirectory() as name:
        address = f"unix:{name}/server"
        vectors = clustered(options.tracks, 1, manifest.embedding_width)
        vectors[1::COPIED] = _nearly(vectors[::COPIED][: len(vectors[1::COPIED])])
        write_catalogue(Path(name) / "data", manifest, vectors)
        with (
            running_server(Path(name) / "data", address) as pid,
            ProcessPoolExecutor(PROCESSES, multiprocessing.get_context("spawn")) as pool,
        ):
            server, some = Server("now", address, pid), kinds(options.tracks, manifest)
            first_response(address, encoded(some[0], 0))
            time.sleep(options.settle)
            p99s: dict[str, list[float]] = {kind.name: [] for kind in some}
            for _ in range(options.rounds):
                for kind in some:
                    result = measure(server, pool, [encoded(kind, number) for number in numbers], options.seconds)
                    p99s[kind.name].append(result.p99)
                    print(f"{kind.name:18}{result}", flush=True)
            plain = statistics.median(p99s["plain"])
            for kind in some:
                ratio = f"p99 {statistics.median(p99s[kind.name]) / plain:.2f} times that of plain requests"
                exact = (
                    f", recall@10 {recall(kind, address, vectors, numbers[:COMPARED]):.4f}" if kind.is_allowed else ""
                )
                print(f"{kind.name:18}{ratio}{exact}")


if __name__ == "__main__":
    main()
