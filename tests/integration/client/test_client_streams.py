from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import grpc
import pytest

from segue.client import (
    MAX_AUDIO_BYTES,
    AsyncClient,
    AudioSilentError,
    AudioTooLongError,
    AudioUnreadableError,
    Client,
    DeadlineExceededError,
    ServerUnreachableError,
    TrackNotFoundError,
)
from segue.client._endpoint import CHANNEL_OPTIONS
from segue.v1 import catalog_service_pb2, classification_service_pb2, recommendation_service_pb2
from segue.v1.audio_pb2 import SAMPLE_ENCODING_INT16, PcmFormat
from tests.helpers.machine.waiting import PATIENCE_SECONDS
from tests.integration.client.answers import SCORES, TRACKS
from tests.integration.client.behaviours import fails, hangs, info
from tests.integration.client.conftest import LAST_CHUNK, CallMethod, Peer

SILENT = fails(grpc.StatusCode.INVALID_ARGUMENT, "Every window is silent.", info("AUDIO_SILENT"))
PCM = PcmFormat(sample_rate=8_000, channels=1, sample_encoding=SAMPLE_ENCODING_INT16)


async def test_streaming_classify(peer: Peer, call: CallMethod) -> None:
    """The configuration is sent first, then every chunk; the windows are received first, then the result."""
    chunks = [b"one", b"two", b"three"]
    responses = await call(peer.address, "streaming_classify", chunks, pcm=PCM, top_k=3, read_mask=["scores"])
    assert ["window"] * 3 + ["result"] == [response.WhichOneof("answer") for response in responses]
    assert SCORES == list(responses[-1].result.scores)
    config, *rest = peer.received
    assert (PCM, 3, ["scores"]) == (config.config.pcm, config.config.top_k, list(config.config.read_mask.paths))
    assert chunks == [request.chunk for request in rest]


async def test_failing_stream(peer: Peer, call: CallMethod) -> None:
    """A failing stream raises the error of its reason."""
    peer.behaviours.append(SILENT)
    with pytest.raises(AudioSilentError):
        await call(peer.address, "streaming_classify", [b"one"])


async def test_failure_while_sending(peer: Peer, call: CallMethod) -> None:
    """A stream that fails while chunks are being sent raises the server's error, not one of gRPC's."""
    for _ in range(30):
        peer.behaviours.append(SILENT)
        with pytest.raises(AudioSilentError):
            await call(peer.address, "streaming_classify", [bytes(100_000)] * 20)


async def test_result_while_sending(peer: Peer, call: CallMethod) -> None:
    """A stream that the server ends with a result before all chunks are sent raises no error."""
    for _ in range(30):
        responses = await call(peer.address, "streaming_classify", [LAST_CHUNK, *[bytes(100_000)] * 20])
        assert ["result"] == [response.WhichOneof("answer") for response in responses]


async def test_no_server(call: CallMethod) -> None:
    """A stream to an address without a server raises ServerUnreachableError."""
    with pytest.raises(ServerUnreachableError):
        await call("127.0.0.1:1", "streaming_classify", [b"one"])


async def test_stream_timeout(peer: Peer, call: CallMethod) -> None:
    """The time limit applies to the whole stream, and the error names it."""
    peer.behaviours.append(hangs)
    with pytest.raises(DeadlineExceededError, match=r"within 0\.5 s"):
        await call(peer.address, "streaming_classify", [b"one"], stream_timeout=0.5)


def broken_chunks() -> Iterator[bytes]:
    """Yields one chunk and then fails."""
    yield b"one"
    raise LookupError("the microphone is gone")


async def test_failing_chunks(peer: Peer, call: CallMethod) -> None:
    """An exception of the caller's iterator is raised unchanged."""
    with pytest.raises(LookupError, match="microphone"):
        await call(peer.address, "streaming_classify", broken_chunks())


async def test_asynchronous_chunks(peer: Peer) -> None:
    """The asyncio client accepts an asynchronous iterator of chunks."""

    async def chunks() -> AsyncIterator[bytes]:
        yield b"one"
        yield b"two"

    async with AsyncClient(peer.address) as client:
        responses = [response async for response in client.streaming_classify(chunks())]
    assert (3, [b"one", b"two"]) == (len(responses), [request.chunk for request in peer.received[1:]])


def endless_chunks(closed: threading.Event) -> Iterator[bytes]:
    """Yields chunks without end until it is closed."""
    try:
        while True:
            yield b"more"
            time.sleep(0.01)
    finally:
        closed.set()


def test_closed_stream(peer: Peer) -> None:
    """Closing a stream stops the sending and releases the caller's iterator."""
    closed = threading.Event()
    with Client(peer.address) as client:
        responses = client.streaming_classify(endless_chunks(closed))
        assert "window" == next(responses).WhichOneof("answer")
        responses.close()  # type: ignore[attr-defined] # it is a generator
        assert closed.wait(PATIENCE_SECONDS)


async def test_closed_asyncio_stream(peer: Peer) -> None:
    """Closing an asyncio stream stops the sending and closes the caller's iterator."""
    closed = asyncio.Event()

    async def chunks() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"more"
                await asyncio.sleep(0.01)
        finally:
            closed.set()

    async with AsyncClient(peer.address) as client:
        responses = client.streaming_classify(chunks())
        assert "window" == (await anext(responses)).WhichOneof("answer")
        await responses.aclose()  # type: ignore[attr-defined] # it is a generator
        await asyncio.wait_for(closed.wait(), PATIENCE_SECONDS)


async def test_bytes_are_not_chunks(peer: Peer, call: CallMethod) -> None:
    """Bytes in place of an iterable of chunks raise an error that says what to do, and nothing is sent."""
    with pytest.raises(TypeError, match="chunks"):
        await call(peer.address, "streaming_classify", b"RIFF")
    assert [] == peer.received


async def test_streaming_recommend(peer: Peer, call: CallMethod) -> None:
    """Each result comes with the number of its seed, and the result of a failing seed is its error."""
    responses = await call(
        peer.address, "streaming_recommend", ["a", "", b"RIFF", "d"], limit=7, read_mask=["embedding"]
    )
    assert [3, 2, 1, 0] == [number for number, _ in responses]
    by_number = dict(responses)
    assert TRACKS[0] == by_number[0].recommendations[0].track
    assert isinstance(by_number[1], TrackNotFoundError)
    assert ("No track.", "r-1", grpc.StatusCode.NOT_FOUND) == (
        by_number[1].message,
        by_number[1].request_id,
        by_number[1].code,
    )
    assert {(7, "embedding")} == {(item.request.limit, *item.request.read_mask.paths) for item in peer.received}
    assert b"RIFF" == peer.received[1].request.audio.content


async def test_batch_classify(peer: Peer, call: CallMethod, tmp_path: Path) -> None:
    """Each result comes with the number of its clip; a clip that fails or is too large has its error."""
    large = tmp_path / "large.wav"
    large.write_bytes(bytes(MAX_AUDIO_BYTES + 1))
    clips = [b"one", b"", large, tmp_path / "none.wav", b"five"]
    responses = await call(peer.address, "batch_classify", clips, top_k=7, read_mask=["tags"])
    assert [4, 1, 0, 2, 3] == [number for number, _ in responses]
    by_number = dict(responses)
    assert [SCORES, SCORES] == [list(by_number[number].scores) for number in (0, 4)]
    assert [AudioSilentError, AudioTooLongError, AudioUnreadableError] == [type(by_number[n]) for n in (1, 2, 3)]
    assert ("It failed.", "r-1") == (by_number[1].message, by_number[1].request_id)
    assert {(7, "tags")} == {(item.request.top_k, *item.request.read_mask.paths) for item in peer.received}
    assert [b"five", b"", b"one"] == [item.request.audio.content for item in peer.received]


@pytest.mark.parametrize("clips", ["a.wav", b"RIFF", Path("a.wav")])
async def test_single_clip(peer: Peer, call: CallMethod, clips: object) -> None:
    """A single clip in place of an iterable raises an error that says what to do."""
    with pytest.raises(TypeError, match="call classify"):
        await call(peer.address, "batch_classify", clips)


@pytest.mark.parametrize(("seeds", "sent"), [([Path("no.wav"), "b", Path("no.flac")], 1), ([Path("no.wav")], 0)])
async def test_unreadable_file(peer: Peer, call: CallMethod, seeds: list[Path | str], sent: int) -> None:
    """A file that cannot be read has an error with its number, at any position; the other seeds succeed."""
    by_number = dict(await call(peer.address, "streaming_recommend", seeds))
    assert set(range(len(seeds))) == set(by_number)
    unread = {number for number, outcome in by_number.items() if isinstance(outcome, AudioUnreadableError)}
    assert {number for number, seed in enumerate(seeds) if isinstance(seed, Path)} == unread
    assert sent == len(peer.received)


@pytest.mark.parametrize("seeds", ["id", b"RIFF", Path("a.wav")])
async def test_single_seed(peer: Peer, call: CallMethod, seeds: object) -> None:
    """A single seed in place of an iterable raises an error that says what to do."""
    with pytest.raises(TypeError, match="call recommend"):
        await call(peer.address, "streaming_recommend", seeds)


@pytest.mark.parametrize(
    ("method", "items"),
    [("streaming_classify", [b"one"] * 20), ("streaming_recommend", ["id"]), ("batch_classify", [b"one"])],
)
async def test_streams_are_not_retried(peer: Peer, call: CallMethod, method: str, items: list[bytes | str]) -> None:
    """A stream to an unavailable server fails at once, because gRPC's own retries lose messages."""
    peer.behaviours.append(fails(grpc.StatusCode.UNAVAILABLE))
    with pytest.raises(ServerUnreachableError):
        await call(peer.address, method, iter(items))
    assert 1 == len(peer.received)


def test_every_stream_is_excluded_from_retries() -> None:
    """The service config excludes the streams of the contract from retries, and no other method."""
    streams = {
        (service.full_name, method.name)
        for module in (classification_service_pb2, recommendation_service_pb2, catalog_service_pb2)
        for service in module.DESCRIPTOR.services_by_name.values()
        for method in service.methods
        if method.client_streaming
    }
    configs = json.loads(str(dict(CHANNEL_OPTIONS)["grpc.service_config"]))["methodConfig"]
    names = [name for config in configs if "retryPolicy" not in config for name in config["name"]]
    assert streams == {(name["service"], name["method"]) for name in names}
