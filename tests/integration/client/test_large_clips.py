"""Clips above 16 MiB, which the clients send in chunks."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
from pathlib import Path

import grpc
import pytest

from segue.client import AsyncClient, AudioUnreadableError, Client, OverloadedError, ServerUnreachableError
from segue.client._audio import open_clip
from segue.core.audio.track_id import track_id
from segue.v1.recommendation_service_pb2 import RecommendRequest, RecommendUploadRequest
from tests.integration.client.behaviours import fails, info
from tests.integration.client.conftest import CallMethod, Peer
from tests.integration.client.test_client_waiting import starts

LARGE = bytes(range(256)) * (17 * 2**12)  # 17 MiB
NO_SERVER = "127.0.0.1:1"
NOT_FOUND = fails(grpc.StatusCode.NOT_FOUND, "No track.", info("TRACK_NOT_FOUND"))


@pytest.fixture
def large_file(tmp_path: Path) -> Path:
    """A file of 17 MiB."""
    path = tmp_path / "long.wav"
    path.write_bytes(LARGE)
    return path


def sent(peer: Peer) -> bytes:
    """The bytes of all chunks that a peer received."""
    return b"".join(request.chunk for request in peer.received if hasattr(request, "chunk"))


@pytest.mark.parametrize("source", ["bytes", "path", "file"])
async def test_classify_sends_chunks(call: CallMethod, peer: Peer, large_file: Path, source: str) -> None:
    """Bytes, a path and an open file arrive whole, with the number of genres and the fields of the response."""
    with large_file.open("rb") as opened:
        audio = {"bytes": LARGE, "path": large_file, "file": opened}[source]
        response = await call(peer.address, "classify", audio, top_k=3, read_mask=["scores"])
    assert response.scores
    config = peer.received[0].config
    assert (True, 3, ["scores"]) == (config.result_only, config.top_k, list(config.read_mask.paths))
    assert sent(peer) == LARGE


async def test_recommend_sends_a_new_file(call: CallMethod, peer: Peer, large_file: Path) -> None:
    """A file that is not in the catalogue is sent after its id was not found."""
    peer.behaviours.append(NOT_FOUND)
    response = await call(peer.address, "recommend", large_file, limit=2)
    assert response.recommendations
    lookup, first = peer.received[:2]
    assert (track_id(memoryview(LARGE)), 2) == (lookup.track_id, lookup.limit)
    assert (None, 2) == (first.config.request.WhichOneof("seed"), first.config.request.limit)
    assert sent(peer) == LARGE


async def test_recommend_finds_a_known_file(call: CallMethod, peer: Peer, large_file: Path) -> None:
    """A file whose track is in the catalogue is not sent."""
    assert (await call(peer.address, "recommend", large_file)).recommendations
    assert [RecommendRequest] == [type(request) for request in peer.received]


@pytest.mark.parametrize("field", ["timeline", "quality_flags", "missing_seconds"])
async def test_fields_of_the_clip_need_the_clip(call: CallMethod, peer: Peer, large_file: Path, field: str) -> None:
    """For fields that describe the clip it is sent, even if its track is in the catalogue."""
    await call(peer.address, "recommend", large_file, read_mask=iter([field]))
    assert {RecommendUploadRequest} == {type(request) for request in peer.received}


@pytest.mark.parametrize("method", ["classify", "recommend"])
async def test_a_server_that_starts(peer: Peer, large_file: Path, method: str) -> None:
    """With wait_for_ready, a file is sent again to a server that was starting, whole."""
    peer.behaviours += [starts(0.05)] * 2
    with Client(peer.address, wait_for_ready=True) as client:
        assert getattr(client, method)(large_file, read_mask=["*"])
    peer.behaviours += [starts(0.05)] * 2
    async with AsyncClient(peer.address, wait_for_ready=True) as async_client:
        assert await getattr(async_client, method)(large_file, read_mask=["*"])
    assert sent(peer).endswith(LARGE)


async def test_a_pipe_is_sent_once(peer: Peer) -> None:
    """A clip that cannot be read again is not sent again: the error of the server is raised."""
    peer.behaviours.append(fails(grpc.StatusCode.RESOURCE_EXHAUSTED, "The disk is full.", info("OVERLOADED")))
    with Client(peer.address, wait_for_ready=True) as client, pytest.raises(OverloadedError):
        client.classify(io.BytesIO(LARGE))


class _BrokenFile(io.BytesIO):
    def read(self, size: int | None = -1) -> bytes:
        if self.tell() >= 2**24:
            raise OSError("Input/output error")
        return super().read(size)


async def test_a_file_that_breaks_in_the_middle(call: CallMethod, peer: Peer) -> None:
    """An error of the disk ends the call, and is raised."""
    with pytest.raises(AudioUnreadableError, match="Input/output error"):
        await call(peer.address, "classify", _BrokenFile(LARGE))


def send_slowly(writer: int) -> None:
    """Writes a million bytes into a pipe, in parts that a reader without a buffer gets one by one."""
    with io.FileIO(writer, "w") as pipe:
        for _ in range(20):
            pipe.write(bytes(50_000))


async def test_a_pipe_without_a_buffer(call: CallMethod, peer: Peer) -> None:
    """A pipe that returns what is there is read to its end."""
    reader, writer = os.pipe()
    sending = threading.Thread(target=send_slowly, args=(writer,))
    sending.start()
    with io.FileIO(reader) as pipe:
        await call(peer.address, "classify", pipe)
    sending.join()
    assert 1_000_000 == len(peer.received[0].audio.content)


async def test_a_named_pipe(call: CallMethod, peer: Peer, tmp_path: Path) -> None:
    """A pipe with a path is sent as a seed without asking for its id, which would need to read it twice."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    sending = threading.Thread(target=fifo.write_bytes, args=(LARGE,))
    sending.start()
    await call(peer.address, "recommend", fifo)
    sending.join()
    assert {RecommendUploadRequest} == {type(request) for request in peer.received}
    assert sent(peer) == LARGE


async def test_a_named_pipe_that_nothing_writes(peer: Peer, tmp_path: Path) -> None:
    """The call fails after its time limit, and leaves no thread that would keep the program from ending."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with (
        Client(peer.address, timeout=0.1) as client,
        pytest.raises(AudioUnreadableError, match=r"fifo is a pipe, and no program wrote into it for 0\.1 s"),
    ):
        client.classify(fifo)
    async with AsyncClient(peer.address, timeout=0.1) as async_client:
        for call in (async_client.classify, async_client.recommend):
            with pytest.raises(AudioUnreadableError, match="no program wrote"):
                await call(fifo)


async def test_no_server(large_file: Path) -> None:
    """The wait for a server ends with the time limit of the call, however long the clip would take."""
    with Client(NO_SERVER, wait_for_ready=True, timeout=1) as client:
        for audio in (large_file, io.BytesIO(LARGE)):
            with pytest.raises(ServerUnreachableError):
                client.classify(audio)
    async with AsyncClient(NO_SERVER, wait_for_ready=True, timeout=1) as async_client:
        for audio in (large_file, io.BytesIO(LARGE)):
            with pytest.raises(ServerUnreachableError):
                await async_client.recommend(audio)


def test_a_file_that_is_replaced(tmp_path: Path, large_file: Path) -> None:
    """The chunks of a clip come from the file that was opened, whatever has its path later."""
    clip = open_clip(large_file)
    (tmp_path / "other").write_bytes(bytes(len(LARGE)))
    (tmp_path / "other").replace(large_file)
    assert b"".join(clip.chunks()) == LARGE
    clip.close()


def test_standard_input(peer: Peer) -> None:
    """`segue classify -` sends a large clip from a pipe."""
    environment = {**os.environ, "SEGUE_ADDRESS": peer.address}
    command = [str(Path(sys.executable).with_name("segue")), "classify", "-"]
    ended = subprocess.run(command, input=LARGE, capture_output=True, env=environment, check=False)
    assert (0, True) == (ended.returncode, LARGE == sent(peer)), ended.stderr
