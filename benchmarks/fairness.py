"""Measures how long a polite caller waits while another has 64 calls in flight.

    python benchmarks/fairness.py [--model segue-fast]

Starts a server with two tokens. The polite caller sends one call at a time: clips, recommendations for a track id, and
health checks. Each is timed on the quiet server and while the other calls.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import soundfile
from grpc_health.v1 import health_pb2, health_pb2_grpc

from segue.client import AsyncClient, Client, Credentials
from segue.core.testing.synthetic_clips import render_clip

BIN = Path(sys.executable).parent
CALLS, GREEDY_CALLS = 40, 64


def new_token(tokens: Path, name: str) -> Credentials:
    """Adds a token to a file, and returns it for calls without TLS."""
    command: list[str | Path] = [BIN / "segue-server", "token", "new", "--tokens", tokens, "--name", name]
    scopes = ["--scope", "classify", "--scope", "recommend", "--scope", "read"]
    return Credentials(
        token=subprocess.run([*command, *scopes], check=True, capture_output=True, text=True).stdout.strip()
    )


@contextmanager
def running_server(folder: Path, clip: Path, tokens: Path, model: str) -> Iterator[str]:
    """Starts a server over one track, and yields its address."""
    data, address = folder / "data", f"unix:{folder}/socket"
    subprocess.run(
        [BIN / "segue-indexer", "add", clip, "--data", data, "--model", model], check=True, capture_output=True
    )
    server = subprocess.Popen([BIN / "segue-server", "--data", data, "--listen", address, "--tokens", tokens])
    try:
        yield address
    finally:
        server.terminate()
        server.wait()


async def _call_forever(address: str, credentials: Credentials, clip: bytes) -> None:
    async def call_repeatedly(client: AsyncClient) -> None:
        while True:
            await client.classify(clip)

    async with AsyncClient(address, credentials=credentials, timeout=300) as client:
        await asyncio.gather(*(call_repeatedly(client) for _ in range(GREEDY_CALLS)))


def call_forever(address: str, credentials: Credentials, clip: bytes) -> None:
    """Keeps calls of the greedy caller in flight."""
    asyncio.run(_call_forever(address, credentials, clip))


@contextmanager
def busy(address: str, credentials: Credentials, clip: bytes) -> Iterator[None]:
    """Keeps calls of the greedy caller in flight during the block.

    It calls from a process of its own, so that the two callers do not wait for the lock of one interpreter.
    """
    process = multiprocessing.get_context("spawn").Process(target=call_forever, args=(address, credentials, clip))
    process.start()
    time.sleep(8)
    try:
        yield
    finally:
        process.terminate()
        process.join()


def median_seconds(call: Callable[[], object]) -> float:
    """Returns the median duration of the calls, one after the other."""
    durations = []
    for _ in range(CALLS):
        start = time.perf_counter()
        call()
        durations.append(time.perf_counter() - start)
    return statistics.median(durations)


def main() -> None:
    """Prints a line for each kind of call."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="segue-accurate")
    model = parser.parse_args().model
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip, tokens = folder / "clip.wav", folder / "tokens.toml"
        soundfile.write(clip, render_clip(1, 30.0), 22_050)
        greedy, polite = new_token(tokens, "greedy"), new_token(tokens, "polite")
        with (
            running_server(folder, clip, tokens, model) as address,
            Client(address, credentials=polite, wait_for_ready=True, timeout=300) as client,
            grpc.insecure_channel(address) as channel,
        ):
            (track,) = client.list_tracks()
            health = health_pb2_grpc.HealthStub(channel)
            content = clip.read_bytes()
            calls = {
                "classify": lambda: client.classify(content),
                "recommend by id": lambda: client.recommend(track.track_id),
                "health": lambda: health.Check(health_pb2.HealthCheckRequest()),
            }
            client.classify(content)
            quiet = {kind: median_seconds(call) for kind, call in calls.items()}
            with busy(address, greedy, content):
                busy_server = {kind: median_seconds(call) for kind, call in calls.items()}
        for kind in calls:
            print(
                f"{kind:16} {1e3 * quiet[kind]:7.1f} ms   with 64 calls {1e3 * busy_server[kind]:7.1f} ms   "
                f"{busy_server[kind] / quiet[kind]:5.2f} times"
            )


if __name__ == "__main__":
    main()
