import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest

from segue.client import (
    AsyncClient,
    AudioTooLongError,
    Client,
    DeadlineExceededError,
    ServerUnreachableError,
)
from segue.v1.catalog_service_pb2 import GetStatusRequest, GetTrackRequest, ListTracksRequest
from segue.v1.classification_service_pb2 import ClassifyRequest
from segue.v1.recommendation_service_pb2 import RecommendRequest
from tests.integration.client.conftest import REVISION, SCORES, TRACKS, Ask, Peer, fails, hangs, meets, serving

NOBODY = "127.0.0.1:1"  # where nothing listens
UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
RETRIED = (UNAVAILABLE, grpc.StatusCode.CANCELLED)
FIVE_MEGABYTES = 5_050_000  # 30 s of CD-quality stereo


async def test_classify(ask: Ask, peer: Peer, tmp_path: Path) -> None:
    """Classify sends a file's bytes and answers the contract's message."""
    path = tmp_path / "a.wav"
    path.write_bytes(b"RIFF")
    answer = await ask(peer.address, "classify", path, top_k=2)
    assert (SCORES, REVISION) == (list(answer.scores), answer.revision)
    assert [ClassifyRequest(audio={"content": b"RIFF"}, top_k=2)] == peer.received  # type: ignore[arg-type]  # protobuf takes a dict


async def test_recommend_by_audio(ask: Ask, peer: Peer) -> None:
    """Recommend takes audio."""
    answer = await ask(peer.address, "recommend", b"RIFF")
    assert TRACKS == [recommendation.track for recommendation in answer.recommendations]
    assert [RecommendRequest(audio={"content": b"RIFF"})] == peer.received  # type: ignore[arg-type]  # protobuf takes a dict


async def test_recommend_by_id(ask: Ask, peer: Peer) -> None:
    """Recommend takes the id of a track."""
    await ask(peer.address, "recommend", TRACKS[3].track_id, limit=3)
    assert [RecommendRequest(track_id=TRACKS[3].track_id, limit=3)] == peer.received


async def test_get_track(ask: Ask, peer: Peer) -> None:
    """A track is answered by its id."""
    assert TRACKS[0] == await ask(peer.address, "get_track", TRACKS[0].track_id)
    assert [GetTrackRequest(track_id=TRACKS[0].track_id)] == peer.received


async def test_status(ask: Ask, peer: Peer) -> None:
    """The state of the server is answered as it is."""
    answer = await ask(peer.address, "status")
    assert (5, ["blues", "jazz"], "0.1.0") == (answer.track_count, list(answer.genres), answer.server_version)
    assert [GetStatusRequest()] == peer.received


@pytest.mark.parametrize(("page_size", "pages"), [(None, 1), (2, 3), (5, 1), (4, 2)])
async def test_list_tracks(ask: Ask, peer: Peer, page_size: int | None, pages: int) -> None:
    """A listing goes through all pages, each of the size asked for."""
    assert TRACKS == await ask(peer.address, "list_tracks", page_size=page_size)
    assert [page_size or 0] * pages == [request.page_size for request in peer.received]


def test_listing_fetches_as_it_goes(peer: Peer) -> None:
    """A page is fetched only when it is reached."""
    with Client(peer.address) as client:
        listing = client.list_tracks(page_size=2)
        first = [next(listing), next(listing)]
        assert (TRACKS[:2], [ListTracksRequest(page_size=2)]) == (first, peer.received)


@pytest.mark.parametrize("code", RETRIED)
async def test_retries_a_large_call(ask: Ask, peer: Peer, code: grpc.StatusCode) -> None:
    """A call of 5 MB that the server cannot take for the moment, or that came as it stopped, is sent again, whole."""
    peer.behaviours += [fails(code)] * 2
    answer = await ask(peer.address, "classify", bytes(FIVE_MEGABYTES))
    assert SCORES == list(answer.scores)
    assert [FIVE_MEGABYTES] * 3 == [len(request.audio.content) for request in peer.received]


def test_goes_to_the_next_server(peer: Peer) -> None:
    """Of several servers one is called, and when it stops the next, and no call fails for that."""
    with serving() as first:
        client = Client(f"ipv4:{first.address},{peer.address}")
        assert SCORES == list(client.classify(bytes(FIVE_MEGABYTES)).scores)
    with client:
        assert SCORES == list(client.classify(bytes(FIVE_MEGABYTES)).scores)
    assert (1, 1) == (len(first.received), len(peer.received))


async def test_gives_up_retrying(ask: Ask, peer: Peer) -> None:
    """After four attempts the failure is told."""
    peer.behaviours += [fails(UNAVAILABLE)] * 9
    with pytest.raises(ServerUnreachableError):
        await ask(peer.address, "status")
    assert 4 == len(peer.received)


@pytest.mark.parametrize("code", [code for code in grpc.StatusCode if code not in (grpc.StatusCode.OK, *RETRIED)])
def test_no_other_failure_is_retried(peer: Peer, code: grpc.StatusCode) -> None:
    """A failure that would only happen again is told at once."""
    peer.behaviours.append(fails(code))
    with Client(peer.address) as client, pytest.raises(Exception, match=peer.address):
        client.status()
    assert 1 == len(peer.received)


async def test_waits_for_a_server(peer: Peer) -> None:
    """With wait_for_ready, both clients wait for a server up to the timeout."""
    with Client(peer.address, wait_for_ready=True) as client:
        assert 5 == client.status().track_count
    with pytest.raises(DeadlineExceededError), Client(NOBODY, timeout=0.2, wait_for_ready=True) as client:
        client.status()
    async with AsyncClient(NOBODY, timeout=0.2, wait_for_ready=True) as awaited:
        with pytest.raises(DeadlineExceededError):
            await awaited.status()


@pytest.mark.parametrize("mebibytes", [17, 40])
async def test_too_much_audio_is_not_sent(ask: Ask, peer: Peer, mebibytes: int) -> None:
    """More than 16 MiB of audio never leaves the client."""
    with pytest.raises(AudioTooLongError):
        await ask(peer.address, "classify", bytes(mebibytes * 2**20))
    with pytest.raises(AudioTooLongError):
        await ask(peer.address, "recommend", bytes(mebibytes * 2**20))
    assert [] == peer.received


async def test_full_16_mebibytes(ask: Ask, peer: Peer) -> None:
    """The most that the contract allows passes the transport."""
    await ask(peer.address, "classify", bytes(16 * 2**20))
    assert 16 * 2**20 == len(peer.received[0].audio.content)


def test_threads_share_a_client(peer: Peer) -> None:
    """Any number of threads may call at once."""
    with Client(peer.address) as client, ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: client.classify(b"RIFF"), range(40)))
    assert ([SCORES] * 40, 40) == ([list(answer.scores) for answer in answers], len(peer.received))


async def test_asyncio_calls_at_once(peer: Peer) -> None:
    """Calls of one asyncio client overlap: none is answered before all four have arrived."""
    peer.behaviours += [meets(4)] * 4
    async with AsyncClient(peer.address) as client:
        answers = await asyncio.gather(*(client.classify(b"RIFF") for _ in range(4)))
    assert [SCORES] * 4 == [list(answer.scores) for answer in answers]


async def test_cancelled_task(peer: Peer) -> None:
    """A task that is cancelled stays cancelled; it is no error of the server's."""
    peer.behaviours.append(hangs)
    async with AsyncClient(peer.address) as client:
        task = asyncio.ensure_future(client.status())
        while not peer.received:  # noqa: ASYNC110  the peer runs in threads
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


def test_asyncio_client_made_outside_a_loop(peer: Peer) -> None:
    """An asyncio client may be made before its loop runs."""
    client = AsyncClient(peer.address)

    async def count() -> int:
        async with client:
            return (await client.status()).track_count

    assert 5 == asyncio.run(count())


def test_proxy_of_the_environment_is_not_used(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that the environment names for the web does not come between client and server."""
    for name in ("http_proxy", "https_proxy", "grpc_proxy"):
        monkeypatch.setenv(name, f"http://{NOBODY}")
    monkeypatch.delenv("no_proxy", raising=False)
    with Client(peer.address) as client:
        assert 5 == client.status().track_count
