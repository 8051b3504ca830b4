"""A server whose catalogue is empty, or whose Redis is away, dies or hangs."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import grpc
import pytest
from grpc_health.v1 import health_pb2
from redis import Redis

from segue.client import Client, StoreUnavailableError
from segue.core.process_identity import start_time
from segue.core.redis_catalogue.open import open_store
from segue.core.redis_catalogue.store import RedisStore
from tests.helpers.clips import Fill, wav
from tests.helpers.machine.processes import stopped
from tests.helpers.machine.waiting import PATIENCE_SECONDS, wait_until
from tests.helpers.server.servers import running_server
from tests.helpers.server.stubs import Stubs, failure

UNKNOWN = "0" * 32
SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


class Served(NamedTuple):
    """A server over three tracks.

    Attributes:
        stubs: calls to the server.
        data: its data folder.
        ids: the ids of the tracks.
    """

    stubs: Stubs
    data: Path
    ids: list[str]

    def redis(self) -> int:
        """The process id of its private Redis."""
        with open_store(self.data) as store:
            return redis_pid(store)


@pytest.fixture(scope="module")
def served(
    tmp_path_factory: pytest.TempPathFactory, tiny_model: Path, fill: Fill, clips: list[Path]
) -> Iterator[Served]:
    """A server for outages that it survives."""
    data = tmp_path_factory.mktemp("served")
    ids = fill(data, clips[:3])
    with running_server("--data", str(data), "--model", str(tiny_model)) as running:
        yield Served(Stubs(running.address), data, ids)


def test_an_empty_catalogue(tmp_path: Path, tiny_model: Path, fill: Fill, clips: list[Path]) -> None:
    """A server with an empty catalogue says so, and recommends as soon as music is indexed."""
    with running_server("--data", str(tmp_path), "--model", str(tiny_model)) as running:
        stubs = Stubs(running.address)
        for seed in (clips[0].read_bytes(), UNKNOWN):
            with pytest.raises(grpc.RpcError, match="segue-indexer add") as error:
                stubs.recommend(seed)
            assert ("FAILED_PRECONDITION", "CATALOGUE_EMPTY") == failure(error)[:2]
        assert SERVING == stubs.health("segue.v1.RecommendationService")
        fill(tmp_path, clips[:3])
        wait_until(lambda: 3 == stubs.status().track_count)
        assert 3 == len(stubs.recommend(clips[5].read_bytes()).recommendations)


def test_a_redis_that_is_away(tmp_path: Path, tiny_model: Path, clips: list[Path]) -> None:
    """Without its Redis a server classifies, fails other calls with a reason, and reports it by health."""
    options = ("--data", str(tmp_path), "--model", str(tiny_model), "--redis", "redis://127.0.0.1:1")
    with running_server(*options) as running:
        stubs = Stubs(running.address)
        assert stubs.classify(clips[0].read_bytes()).scores
        calls: list[Callable[[], object]] = [
            lambda: stubs.recommend(UNKNOWN),
            lambda: stubs.get_track(UNKNOWN),
            stubs.list_tracks,
        ]
        for call in calls:
            with pytest.raises(grpc.RpcError, match="Redis does not answer") as error:
                call()
            code, reason, details = failure(error)
            assert ("UNAVAILABLE", "STORE_UNAVAILABLE") == (code, reason)
            assert "RetryInfo" in details
        assert "Redis does not answer" in stubs.status().catalogue_problem
        start = time.monotonic()
        with Client(running.address) as client, pytest.raises(StoreUnavailableError):
            client.get_track(UNKNOWN)
        # The client tries again three times, each a second later, since the server's status says so.
        assert 2.5 < time.monotonic() - start
        assert SERVING == stubs.health("segue.v1.ClassificationService")
        assert NOT_SERVING == stubs.health("segue.v1.RecommendationService")


def test_a_private_redis_that_dies(served: Served) -> None:
    """A private Redis that is killed is started again, and nothing of the catalogue is lost."""
    pid = served.redis()
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: start_time(pid) is None)
    wait_until(lambda: can_read(served.stubs, served.ids[0]))
    assert 2 == len(served.stubs.recommend(served.ids[0]).recommendations)


def test_a_redis_that_hangs(served: Served, clips: list[Path]) -> None:
    """While Redis hangs, calls do not wait for it and recommendations are stale; later all is as before."""
    stubs, ids = served.stubs, served.ids
    others = tuple(sorted(ids[1:]))
    wait_until(lambda: (others, False) == recommendations(stubs, ids[0]))
    with stopped(served.redis()):
        wait_until(lambda: bool(stubs.status().catalogue_problem))
        with pytest.raises(grpc.RpcError) as error:
            stubs.get_track(ids[0])
        assert ("UNAVAILABLE", "STORE_UNAVAILABLE") == failure(error)[:2]
        assert stubs.classify(clips[0].read_bytes()).scores
        assert (others, True) == recommendations(stubs, ids[0])
        assert (others, True) == recommendations(stubs, clips[0].read_bytes())
        everything = stubs.recommend(ids[0], read_mask=["*"])
        assert (len(others), []) == (
            len(everything.recommendations),
            [moment for track in everything.moments for moment in track.moments],
        )
        assert SERVING == stubs.health("segue.v1.RecommendationService")
        assert NOT_SERVING == stubs.health("segue.v1.CatalogService")
    wait_until(lambda: can_read(stubs, ids[0]))
    wait_until(lambda: (others, False) == recommendations(stubs, ids[0]))


def test_sigterm_while_redis_hangs(tmp_path: Path, tiny_model: Path, fill: Fill, clips: list[Path]) -> None:
    """A server stops on SIGTERM while its private Redis hangs, and the Redis stops once it goes on."""
    fill(tmp_path, clips[:3])
    with running_server("--data", str(tmp_path), "--model", str(tiny_model)) as running:
        with open_store(tmp_path) as store:
            pid = redis_pid(store)
        with stopped(pid):
            running.process.terminate()
            assert 0 == running.process.wait(PATIENCE_SECONDS)
    wait_until(lambda: start_time(pid) is None)


def test_a_data_folder_that_vanishes(tmp_path: Path, tiny_model: Path) -> None:
    """A server whose data folder is removed goes on classifying, and stops in order."""
    data = tmp_path / "data"
    with running_server("--data", str(data), "--model", str(tiny_model)) as running:
        pid = int((data / "redis" / "redis.pid").read_text())
        shutil.rmtree(data)
        assert Stubs(running.address).classify(wav(4)).scores
        running.process.terminate()
        assert 0 == running.process.wait(PATIENCE_SECONDS)
    os.kill(pid, signal.SIGTERM)


def redis_pid(store: RedisStore) -> int:
    """The process id of a private Redis."""
    with Redis(unix_socket_path=store.address.removeprefix("unix://")) as client:
        return int(client.info("server")["process_id"])


def recommendations(stubs: Stubs, seed: bytes | str) -> tuple[tuple[str, ...], bool]:
    """The recommended tracks in the order of their ids, and True if the response is stale."""
    response = stubs.recommend(seed)
    ids = [recommendation.track.track_id for recommendation in response.recommendations]
    return tuple(sorted(ids)), response.revision.stale


def can_read(stubs: Stubs, track_id: str) -> bool:
    """True if the server can read a track."""
    try:
        return bool(stubs.get_track(track_id).track.title)
    except grpc.RpcError:
        return False
