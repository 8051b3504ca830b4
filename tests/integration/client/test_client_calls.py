from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import grpc
import pytest

from segue.client import (
    AsyncClient,
    Client,
    SegueError,
    ServerUnreachableError,
)
from segue.v1.catalog_service_pb2 import GetStatusRequest, GetTrackRequest, ListTracksRequest
from segue.v1.classification_service_pb2 import ClassifyRequest
from segue.v1.feedback_service_pb2 import FEEDBACK_KIND_SKIPPED, RecordFeedbackRequest
from segue.v1.recommendation_service_pb2 import RecommendRequest
from tests.helpers.machine.waiting import wait_until_async
from tests.integration.client.answers import REVISION, SCORES, TRACKS
from tests.integration.client.behaviours import fails, hangs, meets
from tests.integration.client.conftest import CallMethod, Peer, serving

NO_SERVER = "127.0.0.1:1"
UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
RETRIED = (UNAVAILABLE, grpc.StatusCode.CANCELLED)
MOMENT = datetime(2026, 12, 1, 13, 30, tzinfo=timezone(timedelta(hours=2)))
FIVE_MEGABYTES = 5_050_000  # 30 s of CD-quality stereo


async def test_classify(call: CallMethod, peer: Peer, tmp_path: Path) -> None:
    """Classify sends the bytes of a file and returns the contract's message."""
    path = tmp_path / "a.wav"
    path.write_bytes(b"RIFF")
    response = await call(peer.address, "classify", path, top_k=2)
    assert (SCORES, REVISION) == (list(response.scores), response.revision)
    assert [ClassifyRequest(audio={"content": b"RIFF"}, top_k=2)] == peer.received  # type: ignore[arg-type] # protobuf takes a dict


async def test_recommend_by_audio(call: CallMethod, peer: Peer) -> None:
    """Recommend accepts audio."""
    response = await call(peer.address, "recommend", b"RIFF")
    assert TRACKS == [recommendation.track for recommendation in response.recommendations]
    assert [RecommendRequest(audio={"content": b"RIFF"})] == peer.received  # type: ignore[arg-type] # protobuf takes a dict


async def test_recommend_by_id(call: CallMethod, peer: Peer) -> None:
    """Recommend accepts the id of a track."""
    await call(peer.address, "recommend", TRACKS[3].track_id, limit=3)
    assert [RecommendRequest(track_id=TRACKS[3].track_id, limit=3)] == peer.received


async def test_get_track(call: CallMethod, peer: Peer) -> None:
    """get_track returns the track of an id."""
    assert TRACKS[0] == await call(peer.address, "get_track", TRACKS[0].track_id)
    assert [GetTrackRequest(track_id=TRACKS[0].track_id)] == peer.received


async def test_get_track_by_path(call: CallMethod, peer: Peer, tmp_path: Path) -> None:
    """get_track accepts the path of a file, which need not exist on this machine."""
    assert TRACKS[0] == await call(peer.address, "get_track", tmp_path / "none.wav")
    assert [GetTrackRequest(path=str(tmp_path / "none.wav"))] == peer.received


async def test_batch_get_tracks(call: CallMethod, peer: Peer) -> None:
    """batch_get_tracks returns the tracks that exist, and the other ids."""
    response = await call(peer.address, "batch_get_tracks", [TRACKS[2].track_id, "none", TRACKS[0].track_id])
    assert ([TRACKS[2], TRACKS[0]], ["none"]) == (list(response.tracks), list(response.missing_track_ids))


@pytest.mark.parametrize(("page_size", "pages"), [(None, 1), (2, 3)])
async def test_search(call: CallMethod, peer: Peer, page_size: int | None, pages: int) -> None:
    """Search yields the tracks of all pages of one query."""
    assert TRACKS == await call(peer.address, "search", "some words", page_size=page_size)
    assert [("some words", page_size or 0)] * pages == [(sent.query, sent.page_size) for sent in peer.received]


async def test_offset(call: CallMethod, peer: Peer) -> None:
    """An offset is sent with a seed, and with each seed of a stream; without one, none is sent."""
    await call(peer.address, "recommend", TRACKS[0].track_id, offset=200)
    await call(peer.address, "streaming_recommend", [TRACKS[0].track_id], offset=300)
    await call(peer.address, "recommend", TRACKS[0].track_id)
    first, second, third = peer.received
    assert (200, 300, False) == (first.offset, second.request.offset, third.HasField("offset"))


async def test_status(call: CallMethod, peer: Peer) -> None:
    """Status returns the contract's message unchanged."""
    response = await call(peer.address, "status")
    assert (5, ["blues", "jazz"], "0.1.0") == (response.track_count, list(response.genres), response.server_version)
    assert [GetStatusRequest()] == peer.received


@pytest.mark.parametrize(("page_size", "pages"), [(None, 1), (2, 3), (5, 1), (4, 2)])
async def test_list_tracks(call: CallMethod, peer: Peer, page_size: int | None, pages: int) -> None:
    """list_tracks yields the tracks of all pages, each of the requested size."""
    assert TRACKS == await call(peer.address, "list_tracks", page_size=page_size)
    assert [page_size or 0] * pages == [request.page_size for request in peer.received]


def test_listing_fetches_pages_lazily(peer: Peer) -> None:
    """A page is fetched only when it is reached."""
    with Client(peer.address) as client:
        listing = client.list_tracks(page_size=2)
        first = [next(listing), next(listing)]
        assert (TRACKS[:2], [ListTracksRequest(page_size=2)]) == (first, peer.received)


@pytest.mark.parametrize("code", RETRIED)
async def test_retries_a_large_call(call: CallMethod, peer: Peer, code: grpc.StatusCode) -> None:
    """A call of 5 MB to a server that is unavailable or stopping is sent again in full."""
    peer.behaviours += [fails(code)] * 2
    response = await call(peer.address, "classify", bytes(FIVE_MEGABYTES))
    assert SCORES == list(response.scores)
    assert [FIVE_MEGABYTES] * 3 == [len(request.audio.content) for request in peer.received]


def test_fails_over_to_the_next_server(peer: Peer) -> None:
    """With several servers, the client uses one until it stops and then the next, and no call fails."""
    with serving() as first:
        client = Client(f"ipv4:{first.address},{peer.address}")
        assert SCORES == list(client.classify(bytes(FIVE_MEGABYTES)).scores)
    with client:
        assert SCORES == list(client.classify(bytes(FIVE_MEGABYTES)).scores)
    assert (1, 1) == (len(first.received), len(peer.received))


async def test_gives_up_retrying(call: CallMethod, peer: Peer) -> None:
    """A call that failed four times raises its error."""
    peer.behaviours += [fails(UNAVAILABLE)] * 9
    with pytest.raises(ServerUnreachableError):
        await call(peer.address, "status")
    assert 4 == len(peer.received)


@pytest.mark.parametrize("code", [code for code in grpc.StatusCode if code not in (grpc.StatusCode.OK, *RETRIED)])
def test_no_other_failure_is_retried(peer: Peer, code: grpc.StatusCode) -> None:
    """A failure with any other code raises its error at once."""
    peer.behaviours.append(fails(code))
    with Client(peer.address) as client, pytest.raises(SegueError, match=peer.address):
        client.status()
    assert 1 == len(peer.received)


async def test_waits_for_a_server(peer: Peer) -> None:
    """With wait_for_ready, both clients wait for a server up to the timeout, and say then that there is none."""
    with Client(peer.address, wait_for_ready=True) as client:
        assert 5 == client.status().track_count
    with pytest.raises(ServerUnreachableError), Client(NO_SERVER, timeout=8, wait_for_ready=True) as client:
        client.status()
    async with AsyncClient(NO_SERVER, timeout=8, wait_for_ready=True) as async_client:
        with pytest.raises(ServerUnreachableError):
            await async_client.status()


async def test_full_16_mebibytes(call: CallMethod, peer: Peer) -> None:
    """The largest clip of the contract passes the transport."""
    await call(peer.address, "classify", bytes(16 * 2**20))
    assert 16 * 2**20 == len(peer.received[0].audio.content)


def test_threads_share_a_client(peer: Peer) -> None:
    """Several threads may call at once."""
    with Client(peer.address) as client, ThreadPoolExecutor(8) as threads:
        responses = list(threads.map(lambda _: client.classify(b"RIFF"), range(40)))
    assert ([SCORES] * 40, 40) == ([list(response.scores) for response in responses], len(peer.received))


async def test_asyncio_calls_at_once(peer: Peer) -> None:
    """Calls of one asyncio client run at once: none completes before all four have arrived."""
    peer.behaviours += [meets(4)] * 4
    async with AsyncClient(peer.address) as client:
        responses = await asyncio.gather(*(client.classify(b"RIFF") for _ in range(4)))
    assert [SCORES] * 4 == [list(response.scores) for response in responses]


async def test_cancelled_task(peer: Peer) -> None:
    """Cancelling a task raises CancelledError, not a SegueError."""
    peer.behaviours.append(hangs)
    async with AsyncClient(peer.address) as client:
        task = asyncio.ensure_future(client.status())
        await wait_until_async(lambda: bool(peer.received))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


def test_asyncio_client_made_outside_a_loop(peer: Peer) -> None:
    """An asyncio client may be created before its event loop runs."""
    client = AsyncClient(peer.address)

    async def count() -> int:
        async with client:
            return (await client.status()).track_count

    assert 5 == asyncio.run(count())


def test_proxy_of_the_environment_is_not_used(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client ignores the web proxy of the environment."""
    for name in ("http_proxy", "https_proxy", "grpc_proxy"):
        monkeypatch.setenv(name, f"http://{NO_SERVER}")
    monkeypatch.delenv("no_proxy", raising=False)
    with Client(peer.address) as client:
        assert 5 == client.status().track_count


async def test_an_action_is_sent(peer: Peer, call: CallMethod) -> None:
    """The request has the user, the track, the kind and the time in UTC."""
    response = await call(peer.address, "record_feedback", "anna", "0" * 32, "skipped", time=MOMENT)
    assert (True, REVISION) == (response.recorded, response.revision)
    (request,) = peer.received
    assert isinstance(request, RecordFeedbackRequest)
    assert ("anna", "0" * 32, FEEDBACK_KIND_SKIPPED) == (request.user_id, request.track_id, request.kind)
    assert MOMENT == request.time.ToDatetime(UTC)


async def test_a_retry_is_the_same_action(peer: Peer, call: CallMethod) -> None:
    """A call that the client repeats has the time of its first attempt, so that the server knows the repetition."""
    peer.behaviours.append(fails(grpc.StatusCode.UNAVAILABLE))
    assert (await call(peer.address, "record_feedback", "anna", "0" * 32, "played")).recorded
    first, second = peer.received
    assert first == second
