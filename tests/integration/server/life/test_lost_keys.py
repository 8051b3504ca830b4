"""A Redis that loses keys of the catalogue, as one that evicts them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from segue.core.redis_catalogue.keys import RedisKeys
from tests.helpers.clips import Fill, wav
from tests.helpers.indexer import PROGRAM
from tests.helpers.machine.commands import run_command
from tests.helpers.machine.waiting import wait_until
from tests.helpers.server.servers import RunningServer, running_server
from tests.helpers.server.stubs import Stubs

KEYS = RedisKeys()


@pytest.fixture
def data(tmp_path: Path, fill: Fill, clips: list[Path]) -> Path:
    """A data folder with a catalogue of three tracks."""
    fill(tmp_path, clips[:3])
    return tmp_path


@pytest.fixture
def running(data: Path, tiny_model: Path) -> Iterator[RunningServer]:
    """A server that has read the catalogue."""
    with running_server("--data", str(data), "--model", str(tiny_model), "--metrics-listen", "127.0.0.1:0") as running:
        wait_until(lambda: 3 == running.metrics()["segue_index_tracks"])
        yield running


def is_damaged(running: RunningServer) -> bool:
    """Returns whether the server has noticed a loss."""
    return 1 == running.metrics()["segue_catalogue_damaged"]


@pytest.mark.parametrize("kind", ["identity", "events", "track_ids"])
def test_replaced_keys_are_noticed(running: RunningServer, data: Path, kind: str) -> None:
    """A main key that another program replaced counts as lost, and no answer says that Redis is away."""
    stubs = Stubs(running.address)
    with Redis(unix_socket_path=str(data / "redis" / "redis.sock")) as client:
        client.delete(getattr(KEYS, kind))
        client.rpush(getattr(KEYS, kind), "x")
    wait_until(lambda: is_damaged(running))
    assert 1 == running.metrics()["segue_store_up"]
    assert stubs.recommend(wav(5), 3).recommendations
    assert "has lost data of the catalogue" in stubs.status().catalogue_problem


@pytest.mark.parametrize("kind", ["identity", "events", "track_ids", "track", "everything"])
def test_lost_keys_are_noticed(running: RunningServer, data: Path, kind: str) -> None:
    """The metric says so, Redis still counts as reachable, and no answer says that the catalogue is empty."""
    assert not is_damaged(running)
    stubs = Stubs(running.address)
    with Redis(unix_socket_path=str(data / "redis" / "redis.sock")) as client:
        (track_id, *_) = [str(name, "ascii") for name in client.zrange(KEYS.track_ids, 0, -1)]
        if kind == "everything":
            client.flushall()
        else:
            client.delete(KEYS.track(track_id) if kind == "track" else getattr(KEYS, kind))
    assert stubs.recommend(wav(5), 3).recommendations
    wait_until(lambda: is_damaged(running))
    assert 1 == running.metrics()["segue_store_up"]
    assert stubs.recommend(wav(5), 3).recommendations


def test_a_redis_that_evicts(data: Path, tiny_model: Path) -> None:
    """A server warns at its start, and `verify` finds what was evicted."""
    with running_server("--data", str(data), "--model", str(tiny_model)):
        socket = data / "redis" / "redis.sock"
        url = f"unix://{socket}"
        with Redis(unix_socket_path=str(socket)) as client:
            client.config_set("maxmemory-policy", "allkeys-random")
            client.config_set("maxmemory", "100mb")
            options = ("--data", str(data / "other"), "--redis", url, "--model", str(tiny_model))
            with running_server(*options) as second:
                assert "deletes keys when its memory reaches 100 MiB" in second.log
            _evict(client)
        verified = run_command(*PROGRAM, "verify", "--data", data / "other", "--redis", url)
    assert 1 == verified.returncode
    assert "evict" in verified.stderr or "problem: " in verified.stderr


def _evict(client: Redis) -> None:
    """Lowers the limit until a key of the catalogue is gone."""
    keys = client.dbsize()
    while client.dbsize() == keys:
        memory: Any = client.info("memory")
        client.config_set("maxmemory", memory["used_memory"] - 4096)
    client.config_set("maxmemory", "0")
