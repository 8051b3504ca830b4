from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
import pytest

from segue.client import AudioTooLongError, MalformedRequestError
from segue.v1.audio_pb2 import Audio
from segue.v1.recommendation_service_pb2 import ContinueRequest, FindPathRequest, Seed, TrackFilter, Variety
from tests.integration.client.answers import TRACKS
from tests.integration.client.behaviours import fails
from tests.integration.client.conftest import CallMethod, Peer

WANTED, VARIETY = TrackFilter(min_year=1990), Variety(max_per_artist=1)


async def test_continue_list(call: CallMethod, peer: Peer, tmp_path: Path) -> None:
    """Ids, files, bytes and messages are items, in their order; unset options are left to the server."""
    file = tmp_path / "clip.wav"
    file.write_bytes(b"RIFF")
    items = ["0" * 32, file, b"fLaC", Seed(genre="jazz", weight=0.5)]
    response = await call(peer.address, "continue_list", iter(items))
    assert [track.track_id for track in TRACKS] == [item.track.track_id for item in response.tracks]
    seeds = [
        Seed(track_id="0" * 32),
        Seed(audio=Audio(content=b"RIFF")),
        Seed(audio=Audio(content=b"fLaC")),
        Seed(genre="jazz", weight=0.5),
    ]
    assert [ContinueRequest(items=seeds)] == peer.received
    options: dict[str, Any] = {"half_life": 2.5, "limit": 2**40, "track_filter": WANTED, "variety": VARIETY}
    await call(peer.address, "continue_list", ["0" * 32], **options)
    expected = ContinueRequest(
        items=seeds[:1], half_life=2.5, limit=2**31 - 1, filter=WANTED, variety=VARIETY
    )  # the server refuses the number, and says why
    assert expected == peer.received[1]


async def test_find_path(call: CallMethod, peer: Peer) -> None:
    """A path has two ends of any kind, and the options of a list."""
    response = await call(peer.address, "find_path", "0" * 32, b"RIFF", length=9, track_filter=WANTED, variety=VARIETY)
    assert (45.0, 41.5, 0.75) == (response.greatest_step, response.mean_step, response.tracks[0].similarity)
    ends = {"start": Seed(track_id="0" * 32), "end": Seed(audio=Audio(content=b"RIFF"))}
    assert [FindPathRequest(**ends, length=9, filter=WANTED, variety=VARIETY)] == peer.received


async def test_playlists_are_retried(call: CallMethod, peer: Peer) -> None:
    """A call is sent again when the server is unavailable."""
    peer.behaviours += [fails(grpc.StatusCode.UNAVAILABLE), fails(grpc.StatusCode.UNAVAILABLE)]
    assert 5 == len((await call(peer.address, "continue_list", ["0" * 32])).tracks)
    peer.behaviours += [fails(grpc.StatusCode.UNAVAILABLE)]
    assert 5 == len((await call(peer.address, "find_path", "0" * 32, "1" * 32)).tracks)
    assert 5 == len(peer.received)


async def test_items_that_cannot_be_sent(call: CallMethod, peer: Peer) -> None:
    """The name of a file as a str, one string as a list and a clip that is too large fail before anything is sent."""
    with pytest.raises(MalformedRequestError, match=r"pathlib\.Path\('song\.mp3'\)"):
        await call(peer.address, "continue_list", ["song.mp3"])
    with pytest.raises(MalformedRequestError, match="is not a track id"):
        await call(peer.address, "find_path", "0" * 32, "song.mp3")
    with pytest.raises(TypeError, match="items is a list"):
        await call(peer.address, "continue_list", "0" * 32)
    with pytest.raises(AudioTooLongError):
        await call(peer.address, "continue_list", [bytes(16 * 2**20 + 1)])
    assert [] == peer.received
