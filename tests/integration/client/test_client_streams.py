import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import grpc
import pytest

from segue.client import (
    AsyncClient,
    AudioSilentError,
    AudioUnreadableError,
    Client,
    DeadlineExceededError,
    ServerUnreachableError,
    TrackNotFoundError,
)
from segue.client._endpoint import CHANNEL_OPTIONS
from segue.v1 import classification_service_pb2, recommendation_service_pb2
from segue.v1.audio_pb2 import SAMPLE_ENCODING_INT16, PcmFormat
from tests.helpers.waiting import PATIENCE_SECONDS, wait_until
from tests.integration.client.conftest import LAST_CHUNK, SCORES, TRACKS, Ask, Peer, fails, hangs, info

SILENT = fails(grpc.StatusCode.INVALID_ARGUMENT, "There is nothing to hear.", info("AUDIO_SILENT"))
PCM = PcmFormat(sample_rate=8_000, channels=1, sample_encoding=SAMPLE_ENCODING_INT16)


async def test_streaming_classify(peer: Peer, ask: Ask) -> None:
    """The configuration goes first, then every chunk; the windows come back, and the result last."""
    chunks = [b"one", b"two", b"three"]
    answers = await ask(peer.address, "streaming_classify", chunks, pcm=PCM, top_k=3, read_mask=["scores"])
    assert ["window"] * 3 + ["result"] == [answer.WhichOneof("answer") for answer in answers]
    assert SCORES == list(answers[-1].result.scores)
    config, *rest = peer.received
    assert (PCM, 3, ["scores"]) == (config.config.pcm, config.config.top_k, list(config.config.read_mask.paths))
    assert chunks == [request.chunk for request in rest]


async def test_a_failure_in_a_stream(peer: Peer, ask: Ask) -> None:
    """A stream that fails raises as any call does."""
    peer.behaviours.append(SILENT)
    with pytest.raises(AudioSilentError):
        await ask(peer.address, "streaming_classify", [b"one"])


async def test_a_failure_while_more_is_sent(peer: Peer, ask: Ask) -> None:
    """What the server says of a stream is told however much is being written when it fails."""
    for _ in range(30):
        peer.behaviours.append(SILENT)
        with pytest.raises(AudioSilentError):
            await ask(peer.address, "streaming_classify", [bytes(100_000)] * 20)


async def test_a_stream_that_ends_early(peer: Peer, ask: Ask) -> None:
    """A server that ends a stream with a result before it has read all chunks causes no error."""
    for _ in range(30):
        responses = await ask(peer.address, "streaming_classify", [LAST_CHUNK, *[bytes(100_000)] * 20])
        assert ["result"] == [response.WhichOneof("answer") for response in responses]


async def test_no_server(ask: Ask) -> None:
    """A stream to nobody says so."""
    with pytest.raises(ServerUnreachableError):
        await ask("127.0.0.1:1", "streaming_classify", [b"one"])


async def test_a_stream_that_takes_too_long(peer: Peer, ask: Ask) -> None:
    """The timeout is for the whole stream, and is named."""
    peer.behaviours.append(hangs)
    with pytest.raises(DeadlineExceededError, match=r"within 0\.5 s"):
        await ask(peer.address, "streaming_classify", [b"one"], stream_timeout=0.5)


def broken() -> Iterator[bytes]:
    """Chunks of which the second cannot be made."""
    yield b"one"
    raise LookupError("the microphone is gone")


async def test_what_goes_wrong_in_making_a_chunk(peer: Peer, ask: Ask) -> None:
    """An error of the caller's own comes back to the caller as it was."""
    with pytest.raises(LookupError, match="microphone"):
        await ask(peer.address, "streaming_classify", broken())


async def test_chunks_from_asyncio(peer: Peer) -> None:
    """The asyncio client takes chunks that are awaited, too."""

    async def chunks() -> AsyncIterator[bytes]:
        yield b"one"
        yield b"two"

    async with AsyncClient(peer.address) as client:
        answers = [answer async for answer in client.streaming_classify(chunks())]
    assert (3, [b"one", b"two"]) == (len(answers), [request.chunk for request in peer.received[1:]])


def endless(sent: list[bytes]) -> Iterator[bytes]:
    """Chunks for ever, which are kept."""
    while True:
        sent.append(b"more")
        yield b"more"
        time.sleep(0.01)


def test_an_answer_is_enough(peer: Peer) -> None:
    """Whoever stops reading stops sending."""
    sent: list[bytes] = []
    with Client(peer.address) as client:
        answers = client.streaming_classify(endless(sent))
        assert "window" == next(answers).WhichOneof("answer")
        answers.close()  # type: ignore[attr-defined]  # a generator
        wait_until(lambda: stands_still(sent))


async def test_an_asyncio_stream_that_is_closed(peer: Peer) -> None:
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
        await responses.aclose()  # type: ignore[attr-defined]  # a generator
        await asyncio.wait_for(closed.wait(), PATIENCE_SECONDS)


def stands_still(sent: list[bytes]) -> bool:
    """Whether nothing is added for half a second."""
    count = len(sent)
    time.sleep(0.5)
    return count == len(sent)


async def test_bytes_are_no_chunks(peer: Peer, ask: Ask) -> None:
    """The bytes of a file in place of chunks are refused with what to do, and nothing is sent."""
    with pytest.raises(TypeError, match="chunks"):
        await ask(peer.address, "streaming_classify", b"RIFF")
    assert [] == peer.received


async def test_streaming_recommend(peer: Peer, ask: Ask) -> None:
    """Each answer comes with the number of its seed, and a seed that fails is answered by its error."""
    answers = await ask(peer.address, "streaming_recommend", ["a", "", b"RIFF", "d"], limit=7, read_mask=["embedding"])
    assert [3, 2, 1, 0] == [number for number, _ in answers]
    by_number = dict(answers)
    assert TRACKS[0] == by_number[0].recommendations[0].track
    assert isinstance(by_number[1], TrackNotFoundError)
    assert ("No track.", "r-1", grpc.StatusCode.NOT_FOUND) == (
        by_number[1].message,
        by_number[1].request_id,
        by_number[1].code,
    )
    assert {(7, "embedding")} == {(item.request.limit, *item.request.read_mask.paths) for item in peer.received}
    assert b"RIFF" == peer.received[1].request.audio.content


@pytest.mark.parametrize(("seeds", "sent"), [([Path("no.wav"), "b", Path("no.flac")], 1), ([Path("no.wav")], 0)])
async def test_a_file_that_cannot_be_read(peer: Peer, ask: Ask, seeds: list[Path | str], sent: int) -> None:
    """A file that cannot be sent fails alone, by its number, wherever it stands; the other seeds are answered."""
    by_number = dict(await ask(peer.address, "streaming_recommend", seeds))
    assert set(range(len(seeds))) == set(by_number)
    unread = {number for number, answer in by_number.items() if isinstance(answer, AudioUnreadableError)}
    assert {number for number, seed in enumerate(seeds) if isinstance(seed, Path)} == unread
    assert sent == len(peer.received)


@pytest.mark.parametrize("seeds", ["id", b"RIFF", Path("a.wav")])
async def test_one_seed_is_not_many(peer: Peer, ask: Ask, seeds: object) -> None:
    """One seed in place of many is refused with what to do."""
    with pytest.raises(TypeError, match="call recommend"):
        await ask(peer.address, "streaming_recommend", seeds)


@pytest.mark.parametrize(("method", "items"), [("streaming_classify", [b"one"] * 20), ("streaming_recommend", ["id"])])
async def test_a_stream_is_not_tried_again(peer: Peer, ask: Ask, method: str, items: list[bytes | str]) -> None:
    """A stream that finds no server ready fails: gRPC, which could send it once more, loses some of it in doing so."""
    peer.behaviours.append(fails(grpc.StatusCode.UNAVAILABLE))
    with pytest.raises(ServerUnreachableError):
        await ask(peer.address, method, iter(items))
    assert 1 == len(peer.received)


def test_every_stream_is_known() -> None:
    """The service config has no retries for the streams of the contract, and for no other method."""
    streams = {
        (service.full_name, method.name)
        for module in (classification_service_pb2, recommendation_service_pb2)
        for service in module.DESCRIPTOR.services_by_name.values()
        for method in service.methods
        if method.client_streaming
    }
    configs = json.loads(str(dict(CHANNEL_OPTIONS)["grpc.service_config"]))["methodConfig"]
    names = [name for config in configs if "retryPolicy" not in config for name in config["name"]]
    assert streams == {(name["service"], name["method"]) for name in names}
