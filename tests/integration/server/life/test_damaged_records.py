"""A record of the catalogue that cannot be read costs that record, and no answer blames Redis."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import grpc
import pytest
from redis import Redis

from segue.core.redis_catalogue.keys import RedisKeys
from segue.core.redis_catalogue.open import open_store
from segue.server.rpc.health import SERVING
from tests.helpers.catalogue.damage import Damage, replace_by_list, set_embedding, set_fields
from tests.helpers.clips import Fill, wav
from tests.helpers.indexer import run
from tests.helpers.machine.waiting import wait_until
from tests.helpers.server.servers import RunningServer, running_server
from tests.helpers.server.stubs import Stubs, failure

KEYS = RedisKeys()
RECOMMENDATION = "segue.v1.RecommendationService"
TRACKS = 8
# Of one track each.
UNREADABLE: tuple[Damage, ...] = (set_fields(seconds="x"), set_fields(title=b"\xff"), replace_by_list("track"))


@contextmanager
def redis_of(data: Path) -> Iterator[Any]:
    """A client of the private Redis of a running server."""
    with Redis(unix_socket_path=str(data / "redis" / "redis.sock")) as client:
        yield client


@pytest.fixture
def ids(tmp_path: Path, fill: Fill, clips: list[Path]) -> list[str]:
    """The ids of the tracks of a catalogue in this test's folder."""
    return fill(tmp_path, clips[:TRACKS])


@contextmanager
def server_of(data: Path, model: Path) -> Iterator[RunningServer]:
    """A server over the catalogue."""
    with running_server("--data", str(data), "--model", str(model), "--metrics-listen", "127.0.0.1:0") as running:
        yield running


def damage_some(data: Path, ids: Sequence[str]) -> None:
    """Damages the metadata of the first tracks, the record of another one's file, and the record of a failure."""
    with redis_of(data) as client:
        for damage, track_id in zip(UNREADABLE, ids, strict=False):
            damage(client, KEYS, track_id)
        client.hset(KEYS.files, client.hget(KEYS.track(ids[4]), "path"), b"?")
        client.hset(KEYS.failures, "/bad", b"?")


def assert_serves(stubs: Stubs, ids: Sequence[str]) -> None:
    """Asserts that every call answers with the tracks that can be read, and that the health is true."""
    bad, good = sorted(ids[: len(UNREADABLE)]), sorted(ids[len(UNREADABLE) :])
    recommended = stubs.recommend(wav(5), TRACKS).recommendations
    assert set(good) == {each.track.track_id for each in recommended}
    assert 3 == len(stubs.recommend(good[0], 3).recommendations)
    assert good == [track.track_id for track in stubs.list_tracks().tracks]
    batch = stubs.batch_get_tracks(ids)
    assert (good, bad) == (sorted(track.track_id for track in batch.tracks), sorted(batch.missing_track_ids))
    assert good[0] == stubs.get_track(good[0]).track.track_id
    for track_id in bad:
        with pytest.raises(grpc.RpcError) as error:
            stubs.get_track(track_id)
        assert "TRACK_NOT_FOUND" == failure(error)[1]
    assert "" == stubs.status().catalogue_problem
    assert [SERVING, SERVING] == [stubs.health(""), stubs.health(RECOMMENDATION)]


def finds(stubs: Stubs, ids: Sequence[str]) -> bool:
    """Returns whether the search finds the tracks that can be read, by the ending of their files."""
    good = sorted(ids[len(UNREADABLE) :])
    ending = stubs.get_track(good[0]).track.path.rpartition(".")[2]
    with suppress(grpc.RpcError):  # the texts are not read yet
        return good == sorted(track.track_id for track in stubs.search(ending).tracks)
    return False


@pytest.mark.parametrize("snapshot", [True, False], ids=["snapshot", "no snapshot"])
def test_records_that_were_damaged_before_the_start(
    ids: list[str], tmp_path: Path, tiny_model: Path, snapshot: bool
) -> None:
    """They are left out and counted, and after a repair the count is zero; the catalogue does not count as lost."""
    with open_store(tmp_path):
        damage_some(tmp_path, ids)
        with redis_of(tmp_path) as client:
            set_embedding(b"\xff" * 7)(client, KEYS, ids[3])
    if not snapshot:
        shutil.rmtree(tmp_path / "snapshots")
    with server_of(tmp_path, tiny_model) as running:
        stubs = Stubs(running.address)
        readable = set(ids[4:]) | ({ids[3]} if snapshot else set())
        recommended = stubs.recommend(wav(5), TRACKS).recommendations
        assert readable == {each.track.track_id for each in recommended}
        if snapshot:
            assert stubs.recommend(ids[3], 3).recommendations  # its embedding is in memory
        else:
            with pytest.raises(grpc.RpcError) as error:
                stubs.recommend(ids[3], 3)
            assert "TRACK_NOT_FOUND" == failure(error)[1]
        damaged = 3 if snapshot else 4
        wait_until(lambda: damaged == running.metrics()["segue_damaged_records"])
        metrics = running.metrics()
        assert (1, 0) == (metrics["segue_store_up"], metrics["segue_catalogue_damaged"])
        assert SERVING == stubs.health(RECOMMENDATION)

        assert 0 == run("verify", "--data", tmp_path, "--repair").exit_code
        wait_until(lambda: 0 == running.metrics()["segue_damaged_records"])
        wait_until(lambda: TRACKS - 4 == running.metrics()["segue_index_tracks"])
        assert 4 == len(stubs.recommend(wav(5), TRACKS).recommendations)


def test_records_that_are_damaged_under_a_running_server(ids: list[str], tmp_path: Path, tiny_model: Path) -> None:
    """Every call goes on without them, and each is named once in the log."""
    with server_of(tmp_path, tiny_model) as running:
        stubs = Stubs(running.address)
        wait_until(lambda: TRACKS == running.metrics()["segue_index_tracks"])
        damage_some(tmp_path, ids)
        wait_until(lambda: TRACKS - len(UNREADABLE) == len(stubs.recommend(wav(5), TRACKS).recommendations))
        for _ in range(3):
            assert_serves(stubs, ids)
        wait_until(lambda: finds(stubs, ids))
        path = stubs.get_track(ids[4]).track.path
        with pytest.raises(grpc.RpcError) as error:
            stubs.get_track(path=path)
        assert "TRACK_NOT_FOUND" == failure(error)[1]
        assert len(UNREADABLE) + 1 == running.metrics()["segue_damaged_records"]
        assert 0 == running.metrics()["segue_catalogue_damaged"]
        running.process.send_signal(signal.SIGTERM)
        assert running.process.stderr is not None
        log = running.process.stderr.read()
    for track_id in ids[: len(UNREADABLE)]:
        assert 1 == log.count(f"The track '{track_id}' cannot be read and is left out.")
    assert "does not answer" not in log
