"""Compares Recommend by track id with a bare grpc.aio server that sends the same bytes, in turns.

    python benchmarks/recommend.py [--tracks 10000] [--seconds 5] [--rounds 3] [--before CHECKOUT]

Starts a server over a catalogue of invented tracks with usual metadata, the bare server, and with ``--before`` the
server of another checkout over the same catalogue. Callers in processes of their own call them in turns. For each it
prints the calls a second, the median and the 99th percentile of their duration, and the processor time of the server.
Linux only.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import grpc
import numpy as np
from numpy.typing import NDArray

from segue.core.catalogue.records import Addition, PathRecord, Track, Vector
from segue.core.catalogue.tag_scores import pack_tag_scores
from segue.core.features.fingerprint import Fingerprint
from segue.core.index.publishing import publish
from segue.core.model.artifact import Manifest, read_manifest
from segue.core.paths import shipped_models
from segue.core.redis_catalogue.open import open_store
from segue.v1.recommendation_service_pb2 import RecommendRequest

BIN = Path(sys.executable).parent
ROOTS = ("core", "clients", "server", "indexer", "trainer")
RECOMMEND = "/segue.v1.RecommendationService/Recommend"
CALLERS, PROCESSES = 8, 2
REQUESTS = 2_000
PAGE = 1_000
COPIED = 10
"""One of so many tracks has the same fingerprint as the one before it."""
# Connections are open and the caches of the machine warm after this time, in which nothing is measured.
WARM_UP_SECONDS = 1.0


def track_id(number: int) -> str:
    """Returns the id of the track with a number."""
    return f"{number * 0x9E3779B97F4A7C15 % 2**128:032x}"


def addition(number: int, vector: Vector, manifest: Manifest) -> Addition:
    """Returns an invented track with the metadata that a tagged file usually has."""
    path = f"/music/Artist {number // 100}/Album {number // 10}/{number % 10:02} A title of usual length.flac"
    dice = np.random.default_rng(number)
    release, artist = (
        f"{number // 10:08x}-1111-4222-8333-444444444444",
        f"{number // 100:08x}-1111-4222-8333-555555555555",
    )
    track = Track(
        track_id(number),
        title=f"A title of usual length {number}",
        artist=f"Artist {number // 100}",
        album=f"Album {number // 10}",
        genre=manifest.labels[number % len(manifest.labels)],
        tagged_genre="Rock",
        year="1987",
        seconds=215.3,
        path=path,
        posterior=dict.fromkeys(manifest.labels, 0.1),
        artists=(f"Artist {number // 100}",),
        tagged_genres=("Rock", "Pop"),
        album_artist=f"Artist {number // 100}",
        track_number=number % 10 + 1,
        disc_number=1,
        isrc=f"USRC1{number % 10_000_000:07}",
        musicbrainz_recording_id=f"{number:08x}-1111-4222-8333-666666666666",
        musicbrainz_release_id=release,
        musicbrainz_artist_ids=(artist,),
        tag_scores=pack_tag_scores(dice.beta(0.3, 3, len(manifest.tags)).astype(np.float32), manifest.tags),
        fingerprint=_fingerprint(number - (number % COPIED == 1)).to_text(),
    )
    return Addition(track, vector, PathRecord(path, 31_234_567, 1_700_000_000_000_000_000 + number, track.track_id))


def _fingerprint(number: int) -> Fingerprint:
    words = np.random.default_rng([number, 1]).integers(0, 2**32, (5, 26), np.uint32)
    return Fingerprint(words, step=0.096, seconds=170.0)


def random_vectors(tracks: int, width: int) -> NDArray[np.float32]:
    """Returns vectors [tracks, width] of length 1 in any direction, the hardest case for an index."""
    vectors = np.random.default_rng(1).standard_normal((tracks, width)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def write_catalogue(data: Path, manifest: Manifest, vectors: NDArray[np.float32]) -> None:
    """Writes a catalogue of invented tracks with these embeddings [tracks, e], and publishes its index."""
    tracks = len(vectors)
    with open_store(data) as store:
        with store.writer(*manifest.key) as writer:
            for start in range(0, tracks, PAGE):
                numbers = range(start, min(start + PAGE, tracks))
                writer.add([addition(number, vectors[number], manifest) for number in numbers])
        publish(data, store)


@contextmanager
def running_server(data: Path, address: str, checkout: Path | None = None) -> Iterator[int]:
    """Starts a server, of another checkout if it is given, and yields its process id."""
    environment = dict(os.environ)
    if checkout:
        environment["PYTHONPATH"] = os.pathsep.join(str(checkout / root) for root in ROOTS)
    command: list[str | Path] = [BIN / "segue-server", "--data", data, "--listen", address, "--listen-when-ready"]
    server = subprocess.Popen([*command, "--log-level", "warning"], env=environment, cwd=checkout)
    try:
        yield server.pid
    finally:
        server.terminate()
        server.wait()


async def _serve_bytes(address: str, response: bytes) -> None:
    async def respond(_request: bytes, _context: object) -> bytes:
        return response

    server = grpc.aio.server()
    handler = grpc.unary_unary_rpc_method_handler(respond)
    service, method = RECOMMEND.strip("/").split("/")
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(service, {method: handler})])
    server.add_insecure_port(address)
    await server.start()
    await server.wait_for_termination()


def serve_bytes(address: str, response: bytes) -> None:
    """Responds to every call with the same bytes, until the process is terminated."""
    asyncio.run(_serve_bytes(address, response))


@contextmanager
def running_bare_server(address: str, response: bytes) -> Iterator[int]:
    """Starts the bare server, and yields its process id."""
    process = multiprocessing.get_context("spawn").Process(target=serve_bytes, args=(address, response))
    process.start()
    try:
        yield int(process.pid or 0)
    finally:
        process.terminate()
        process.join()


def first_response(address: str, request: bytes) -> bytes:
    """Returns the response to a request, once the server is there."""
    with grpc.insecure_channel(address) as channel:
        recommend = channel.unary_unary(RECOMMEND, None, None)  # bytes, as they are
        response: bytes = recommend(request, wait_for_ready=True, timeout=300)
        return response


async def _call(address: str, requests: Sequence[bytes], seconds: float) -> list[float]:
    durations: list[float] = []

    async def call_repeatedly(number: int) -> None:
        place = number * len(requests) // CALLERS
        while (begun := time.perf_counter()) < end:
            await recommend(requests[place % len(requests)], wait_for_ready=True)
            place += 1
            if begun >= start:
                durations.append(time.perf_counter() - begun)

    async with grpc.aio.insecure_channel(address) as channel:
        recommend = channel.unary_unary(RECOMMEND, None, None)
        start = time.perf_counter() + WARM_UP_SECONDS
        end = start + seconds
        await asyncio.gather(*(call_repeatedly(number) for number in range(CALLERS // PROCESSES)))
    return durations


def call(address: str, requests: Sequence[bytes], seconds: float) -> list[float]:
    """Calls without pause, and returns the seconds of each call."""
    return asyncio.run(_call(address, requests, seconds))


class Server(NamedTuple):
    """A server that is measured.

    Attributes:
        name: name in the output.
        address: its address.
        pid: its process id.
    """

    name: str
    address: str
    pid: int

    def processor_seconds(self) -> float:
        """Returns the processor time that the process has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Round(NamedTuple):
    """The calls of one round.

    Attributes:
        rate: calls in a second.
        median: median duration in ms.
        p99: 99th percentile of the durations in ms.
        processor: processor time of the server for a call in ms.
    """

    rate: float
    median: float
    p99: float
    processor: float

    def __str__(self) -> str:
        return (
            f"{self.rate:7.0f} calls/s   p50 {self.median:6.2f} ms   p99 {self.p99:6.2f} ms"
            f"   processor of the server {self.processor:6.3f} ms a call"
        )


def measure(server: Server, pool: ProcessPoolExecutor, requests: Sequence[bytes], seconds: float) -> Round:
    """Calls a server for some seconds."""
    before = server.processor_seconds()
    calls = [pool.submit(call, server.address, requests[part::PROCESSES], seconds) for part in range(PROCESSES)]
    durations = [duration for done in calls for duration in done.result()]
    # The calls of the warm-up took processor time, too.
    used = (server.processor_seconds() - before) * seconds / (seconds + WARM_UP_SECONDS)
    median, p99 = (1e3 * float(percentile) for percentile in np.percentile(durations, [50, 99]))
    return Round(len(durations) / seconds, median, p99, 1e3 * used / len(durations))


def start_all(stack: ExitStack, folder: Path, requests: Sequence[bytes], before: Path | None) -> list[Server]:
    """Starts the servers to compare, the bare one last."""
    checkouts: dict[str, Path | None] = {"now": None} if before is None else {"before": before, "now": None}
    servers = []
    for name, checkout in checkouts.items():
        address = f"unix:{folder}/{name}"
        servers.append(Server(name, address, stack.enter_context(running_server(folder / "data", address, checkout))))
        response = first_response(address, requests[0])
    address = f"unix:{folder}/bare"
    servers.append(Server("bare", address, stack.enter_context(running_bare_server(address, response))))
    print(f"responses of {len(response):,} bytes")
    return servers


def print_ratios(rounds: dict[str, list[Round]]) -> None:
    """Prints the ratios of the medians over all rounds."""
    medians = {name: [statistics.median(column) for column in zip(*some, strict=True)] for name, some in rounds.items()}
    now, bare = medians["now"], medians["bare"]
    print(f"of the bare server's calls/s: {now[0] / bare[0]:.2f}; of its p99: {now[2] / bare[2]:.2f} times")
    if before := medians.get("before"):
        print(f"of the calls/s before: {now[0] / before[0]:.2f} times")


def main() -> None:
    """Prints a line for each server and round, then the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tracks", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--model", default="segue-accurate")
    parser.add_argument("--before", type=Path)
    parser.add_argument("--settle", type=float, default=20.0, help="seconds before the first round")
    options = parser.parse_args()
    numbers = np.random.default_rng(2).integers(options.tracks, size=REQUESTS)
    requests = [RecommendRequest(track_id=track_id(int(number))).SerializeToString() for number in numbers]
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        manifest = read_manifest(shipped_models() / options.model)
        write_catalogue(Path(name) / "data", manifest, random_vectors(options.tracks, manifest.embedding_width))
        servers = start_all(stack, Path(name), requests, options.before)
        pool = stack.enter_context(ProcessPoolExecutor(PROCESSES, multiprocessing.get_context("spawn")))
        with contextlib.suppress(KeyboardInterrupt):
            time.sleep(options.settle)
        rounds: dict[str, list[Round]] = {server.name: [] for server in servers}
        for _ in range(options.rounds):
            for server in servers:
                result = measure(server, pool, requests, options.seconds)
                rounds[server.name].append(result)
                print(f"{server.name:8}{result}", flush=True)
        print_ratios(rounds)


if __name__ == "__main__":
    main()
