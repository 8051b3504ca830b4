"""Measures what kept windows cost: bytes for each track, and the time of a response with moments.

    python -m benchmarks.choice.moments [--model segue-fast] [--tracks 10000] [--rounds 300]

All responses are of one server in one run; each kind takes its turn in every round, so that other load on the machine
meets all kinds alike.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from redis import Redis

from benchmarks.recommend import PAGE, addition, random_vectors, running_server, track_id
from segue.client import Client
from segue.core.catalogue.window_embeddings import WindowEmbeddings, pack_windows
from segue.core.index.publishing import publish
from segue.core.model.artifact import Manifest, read_manifest
from segue.core.paths import resolve_model
from segue.core.redis_catalogue.keys import RedisKeys
from segue.core.redis_catalogue.open import open_store
from tests.helpers.clips import wav

ADDRESS = "127.0.0.1:50069"
USUAL = ["recommendations"]
ROOT = Path(__file__).parents[2]
MASKS = {"plain": USUAL, "reasons": [*USUAL, "reasons"], "moments": [*USUAL, "reasons", "moments"]}


def write_catalogue(data: Path, manifest: Manifest, tracks: int) -> dict[str, float]:
    """Writes an invented catalogue with windows, and returns the mean bytes of the keys of a track, by their kind."""
    vectors = random_vectors(tracks, manifest.embedding_width)
    with open_store(data) as store:
        with store.writer(*manifest.key) as writer:
            for start in range(0, tracks, PAGE):
                numbers = range(start, min(start + PAGE, tracks))
                page = [addition(number, vectors[number], manifest) for number in numbers]
                writer.add([replace(each, windows=invented_windows(manifest)) for each in page])
        publish(data, store)
        client: Any = Redis.from_url(store.address)
        keys = RedisKeys()
        kinds = {"metadata": keys.track, "embedding": keys.embedding, "files": keys.paths, "windows": keys.windows}
        sample = [track_id(number) for number in range(0, tracks, max(1, tracks // 200))]
        return {
            kind: statistics.mean(client.memory_usage(key_of(each)) for each in sample)
            for kind, key_of in kinds.items()
        }


def invented_windows(manifest: Manifest) -> bytes:
    """Returns as many random windows as the model analyzes of a track."""
    values = random_vectors(manifest.windows, manifest.embedding_width)
    return pack_windows(WindowEmbeddings(np.linspace(0, 180, manifest.windows), values))


def measure(send: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Returns the seconds of each kind of call in every round, after a tenth of the rounds."""
    seconds: dict[str, list[float]] = {kind: [] for kind in send}
    for number in range(rounds + rounds // 10):
        for kind, call in send.items():
            begun = time.perf_counter()
            call()
            if number >= rounds // 10:
                seconds[kind].append(time.perf_counter() - begun)
    return seconds


def calls(client: Client, seed: str | bytes, tracks: int) -> dict[str, Callable[[], object]]:
    """Returns a call for each mask; seeds that are tracks change with every call."""
    numbers = np.random.default_rng(2)

    def call(mask: list[str]) -> object:
        return client.recommend(seed or track_id(int(numbers.integers(tracks))), read_mask=mask)

    return {kind: lambda mask=mask: call(mask) for kind, mask in MASKS.items()}  # type: ignore[misc] # a default value


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="segue-fast")
    parser.add_argument("--tracks", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=300)
    arguments = parser.parse_args()
    manifest = read_manifest(resolve_model(arguments.model))
    with tempfile.TemporaryDirectory() as folder:
        sizes = write_catalogue(Path(folder), manifest, arguments.tracks)
        print("bytes of a track in Redis:", ", ".join(f"{kind} {size:,.0f}" for kind, size in sizes.items()))
        with running_server(Path(folder), ADDRESS, ROOT), Client(ADDRESS, wait_for_ready=True, timeout=300) as client:
            for name, seed, rounds in (
                ("track", "", arguments.rounds),
                ("clip of 30 s", wav(30), arguments.rounds // 5),
            ):
                seconds = measure(calls(client, seed, arguments.tracks), rounds)
                plain = statistics.median(seconds["plain"])
                for kind, values in seconds.items():
                    middle, high = statistics.median(values), float(np.quantile(values, 0.99))
                    print(
                        f"{name}, {kind}: median {1e3 * middle:.2f} ms, p99 {1e3 * high:.2f} ms, {middle / plain:.2f} x"
                    )


if __name__ == "__main__":
    main()
