"""Measures the growth of a server's memory over many calls: ``python -m tests.load.soak [--calls N]``.

Sends hostile inputs and honest clips, most as unary calls and some as streams. Compares the memory of the server's own
process after a tenth of the calls with that at the end. Exits with 1 if it grew by more than 20 MiB.
"""

from __future__ import annotations

import itertools
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import click
import grpc

from segue.core.testing.synthetic_clips import render_clip
from segue.v1 import audio_pb2, classification_service_pb2_grpc
from segue.v1.classification_service_pb2 import ClassifyRequest, StreamingClassifyConfig, StreamingClassifyRequest
from tests.load.hostile import encoded, inputs
from tests.load.servers import Redis, resident, segue_server

_MAX_GROWTH_MIB = 20.0
_HOSTILE_INPUTS = 200
_CHUNK_BYTES = 300_000


def _contents() -> Iterator[bytes]:
    """Yields hostile inputs without end, half of them followed by an honest clip."""
    honest = [encoded(render_clip(seed, 10, 22_050), 22_050) for seed in range(5)]
    rng = random.Random(0)
    for content in itertools.cycle([content for _, content in inputs(_HOSTILE_INPUTS)]):
        yield content
        if rng.random() < 0.5:
            yield rng.choice(honest)


def _send(address: str, contents: Iterator[bytes]) -> Counter[str]:
    """Sends calls one after the other and counts their outcomes.

    Every fifth call is a stream, and every tenth has a deadline of 10 ms.
    """
    outcomes: Counter[str] = Counter()
    with grpc.insecure_channel(address, [("grpc.max_send_message_length", -1)]) as channel:
        service = classification_service_pb2_grpc.ClassificationServiceStub(channel)
        for number, content in enumerate(contents):
            if number % 5 == 1:
                outcomes[_stream(service, content, number)] += 1
                continue
            request = ClassifyRequest(audio=audio_pb2.Audio(content=content))
            call = service.Classify.future(request, timeout=0.01 if number % 10 == 0 else 60)
            outcomes[call.code().name] += 1
    return outcomes


def _stream(service: classification_service_pb2_grpc.ClassificationServiceStub, content: bytes, number: int) -> str:
    """Sends a stream and returns its outcome; of three, one is in a wrong order and one is cancelled early."""
    config = StreamingClassifyRequest(config=StreamingClassifyConfig())
    starts = range(0, len(content), _CHUNK_BYTES)
    chunks = [StreamingClassifyRequest(chunk=content[start : start + _CHUNK_BYTES]) for start in starts]
    call = service.StreamingClassify(iter([*chunks, config] if number % 3 == 0 else [config, *chunks]), timeout=60)
    with suppress(grpc.RpcError):
        for _ in call:
            if number % 3 == 1:
                call.cancel()  # type: ignore[no-untyped-call] # missing in the stubs
    return call.code().name


@click.command()
@click.option("--calls", type=click.IntRange(100), default=5_000, show_default=True, help="Number of calls.")
def main(calls: int) -> None:
    """Sends many calls to a server and prints the growth of its memory."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "redis").mkdir()
        redis = Redis(Path(folder) / "redis")
        try:
            with segue_server(Path(folder), redis.url) as (address, memory):
                growth = _soak(address, memory.pid, calls)
        finally:
            redis.stop()
    sys.exit(1 if growth > _MAX_GROWTH_MIB else 0)


def _soak(address: str, pid: int, calls: int) -> float:
    """Returns the growth of the server's own process after the first tenth of the calls, in MiB."""
    contents, start = _contents(), resident(pid) / 2**20
    outcomes = _send(address, itertools.islice(contents, calls // 10))
    before = resident(pid) / 2**20
    outcomes += _send(address, itertools.islice(contents, calls - calls // 10))
    after = resident(pid) / 2**20
    click.echo(f"{calls:,} calls: {dict(outcomes)}")
    click.echo(
        f"{start:.1f} MiB at the start, {before:.1f} MiB after {calls // 10:,} calls, {after:.1f} MiB at the end"
    )
    return after - before


if __name__ == "__main__":
    main()
