"""Copies of one recording, from the files to the recommendations."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest

from segue.core.testing.synthetic_clips import render_clip
from segue.v1.audio_pb2 import Audio
from segue.v1.recommendation_service_pb2 import (
    ContinueRequest,
    FindPathRequest,
    Recommendation,
    RecommendRequest,
    RecommendResponse,
    Seed,
    TrackFilter,
    Variety,
)
from tests.helpers.audio import encode
from tests.helpers.indexer import Indexer, run
from tests.helpers.machine.waiting import wait_until
from tests.helpers.server.servers import running_server
from tests.helpers.server.stubs import Stubs, is_started

RATE = 22_050
STYLE, OTHERS = 3, (0, 5, 6)
ALL = Variety(keep_copies=True)
CLIP = render_clip(STYLE, 21.0)
COPIES = {
    "a.wav": encode(CLIP, RATE),
    "b.flac": encode(CLIP, RATE, "FLAC"),
    "c.ogg": encode(CLIP, RATE, "OGG", "VORBIS"),
    "d.mp3": encode(CLIP, RATE, "MP3", "MPEG_LAYER_III"),
    "e.wav": encode(CLIP[RATE // 13 :], RATE),
}
# A copy that is not in the catalogue: a clip that is in it is a seed like a track.
UNKNOWN = encode(CLIP * np.float32(0.5), RATE)


@pytest.fixture
def indexer(tmp_path: Path, tiny_model: Path) -> Indexer:
    """A catalogue with five copies of a recording, and three others."""
    music = tmp_path / "music"
    music.mkdir()
    for name, content in COPIES.items():
        (music / name).write_bytes(content)
    for style in OTHERS:
        (music / f"other {style}.wav").write_bytes(encode(render_clip(style, 21.0), RATE))
    indexer = Indexer(tmp_path / "data", tiny_model)
    assert not indexer.add(music).returncode
    return indexer


@pytest.fixture
def stubs(indexer: Indexer) -> Iterator[Stubs]:
    """Calls to a server of this catalogue that has read the properties of all tracks."""
    with running_server("--data", str(indexer.data), "--model", str(indexer.model)) as running:
        stubs = Stubs(running.address)
        filtered = RecommendRequest(audio=Audio(content=UNKNOWN), filter=TrackFilter(min_similarity=-1))
        wait_until(lambda: is_started(lambda: stubs.send_recommend(filtered)))
        yield stubs


def names(response: RecommendResponse) -> list[str]:
    """The names of the recommended files."""
    return [Path(item.track.path).name for item in response.recommendations]


def copies(response: RecommendResponse) -> list[Recommendation]:
    """The recommended copies of the recording."""
    return [item for item in response.recommendations if Path(item.track.path).name in COPIES]


def test_five_copies_are_one_result(stubs: Stubs) -> None:
    """A clip finds the recording once, with the number of the other copies, unless all of them are wanted."""
    response = stubs.recommend(UNKNOWN)
    assert (4, True) == (len(response.recommendations), response.limited)
    assert [4, 0, 0, 0] == [item.copies for item in response.recommendations]
    assert 5 == len(copies(stubs.send_recommend(RecommendRequest(audio=Audio(content=UNKNOWN), variety=ALL))))


@pytest.mark.parametrize("is_clip", [False, True])
def test_no_copy_of_a_track_that_is_a_seed(stubs: Stubs, *, is_clip: bool) -> None:
    """A track of the catalogue, also if it is sent as a clip, finds none of its copies unless they are wanted."""
    track_id = next(item.track.track_id for item in copies(stubs.recommend(UNKNOWN)))
    request = RecommendRequest(audio=Audio(content=COPIES["a.wav"])) if is_clip else RecommendRequest(track_id=track_id)
    assert ([], 3) == (copies(stubs.send_recommend(request)), len(stubs.send_recommend(request).recommendations))
    request.variety.CopyFrom(ALL)
    response = stubs.send_recommend(request)
    assert ([4] * 4, 7) == ([item.copies for item in copies(response)], len(response.recommendations))


def test_a_list_that_copies_empty(stubs: Stubs) -> None:
    """The response says that others were left out, and does not blame the filter."""
    every = stubs.send_recommend(RecommendRequest(audio=Audio(content=UNKNOWN), variety=ALL))
    track_ids = [item.track.track_id for item in copies(every)]
    wanted = TrackFilter(track_ids=track_ids, min_similarity=0.5)
    response = stubs.send_recommend(RecommendRequest(track_id=track_ids[0], filter=wanted))
    assert (0, "", True) == (len(response.recommendations), response.emptied_by, response.limited)
    wanted.min_similarity = 1.0
    wanted.track_ids[:] = [
        item.track.track_id for item in every.recommendations if item.track.track_id not in track_ids
    ]
    response = stubs.send_recommend(RecommendRequest(track_id=track_ids[0], filter=wanted))
    assert ("filter.min_similarity", False) == (response.emptied_by, response.limited)


def test_copies_of_several_seeds(stubs: Stubs) -> None:
    """No copy of any seed is recommended, also not of one with a negative weight."""
    found = {Path(item.track.path).name: item.track.track_id for item in stubs.recommend(UNKNOWN).recommendations}
    seeds = [Seed(track_id=found["other 5.wav"]), Seed(audio=Audio(content=COPIES["a.wav"]), weight=-0.5)]
    assert {"other 0.wav", "other 6.wav"} == {*names(stubs.send_recommend(RecommendRequest(seeds=seeds)))}
    assert 6 == len(stubs.send_recommend(RecommendRequest(seeds=seeds, variety=ALL)).recommendations)


def test_playlists_without_copies(stubs: Stubs) -> None:
    """A playlist has one copy of a recording, and no path leads from one copy to another."""
    found = {Path(item.track.path).name: item.track.track_id for item in stubs.recommend(UNKNOWN).recommendations}
    (copy,) = found.keys() & COPIES.keys()
    ends = {name: Seed(track_id=found[name]) for name in (copy, "other 0.wav", "other 5.wav")}
    path = stubs.find_path(FindPathRequest(start=ends[copy], end=ends["other 0.wav"], length=10))
    assert (4, True) == (len(path.tracks), path.limited)
    items = [ends[copy], ends["other 0.wav"]]
    assert 2 == len(stubs.continue_list(ContinueRequest(items=items)).tracks)
    assert 6 == len(stubs.continue_list(ContinueRequest(items=items, variety=ALL)).tracks)
    another = next(content for name, content in COPIES.items() if name not in (copy, "e.wav"))
    with pytest.raises(grpc.RpcError, match="start and end are the same recording"):
        stubs.find_path(FindPathRequest(start=ends[copy], end=Seed(audio=Audio(content=another))))


def test_copies_that_come_and_go(indexer: Indexer, stubs: Stubs) -> None:
    """A running server follows the copies of each published index."""
    music = indexer.data.parent / "music"
    assert not run("remove", "--data", indexer.data, music / "c.ogg", music / "d.mp3").exit_code
    wait_until(lambda: 2 == stubs.recommend(UNKNOWN).recommendations[0].copies)
    (music / "f.wav").write_bytes(encode(CLIP * np.float32(0.25), RATE))
    assert not indexer.add(music / "f.wav").returncode
    wait_until(lambda: 3 == stubs.recommend(UNKNOWN).recommendations[0].copies)
    assert 4 == len(stubs.recommend(UNKNOWN).recommendations)
