"""The sentences in which real servers' errors reach the user."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import RedisError

from segue.core.errors import CatalogueLost, StoreUnavailable
from segue.core.redis_catalogue.client import translating_errors
from segue.core.redis_catalogue.keys import RedisKeys
from segue.core.redis_catalogue.private.server import PrivateRedis, open_private_redis
from segue.core.redis_catalogue.store import RedisStore
from tests.helpers.catalogue.tracks import MODEL, addition
from tests.helpers.machine.ports import free_port
from tests.helpers.machine.processes import ended
from tests.helpers.machine.waiting import wait_until


def version_of(client: Redis) -> str:
    """Returns the name and version of a server."""
    info = client.info("server")
    return f"Valkey {info['valkey_version']}" if "valkey_version" in info else f"Redis {info['redis_version']}"


def test_a_redis_that_is_not_running() -> None:
    """The sentence has the address without the password, and what to do."""
    with (
        closing(RedisStore("redis://someone:secret@127.0.0.1:1/0?password=secret")) as store,
        pytest.raises(StoreUnavailable, match=r"redis://127\.0\.0\.1:1/0 does not answer .*Start it") as error,
    ):
        store.count()
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("url", ["localhost:6379", "http://localhost", "redis://localhost:port/0"])
def test_an_invalid_address(url: str) -> None:
    """A URL that redis-py cannot parse gives an error with an example of a valid one."""
    with pytest.raises(StoreUnavailable, match="Write redis://HOST:PORT/DB"):
        RedisStore(url)


def test_a_wrong_password(private_redis: PrivateRedis) -> None:
    """The sentence names the cause and not the password."""
    with (
        closing(RedisStore(f"{private_redis.url}?username=someone&password=secret")) as store,
        pytest.raises(StoreUnavailable, match="refuses this user") as error,
    ):
        store.ping()
    assert "secret" not in str(error.value)


def test_keys_of_another_program(redis_store: RedisStore, client: Redis, keys: RedisKeys) -> None:
    """A key of another type under the catalogue's name gives a sentence, not a traceback."""
    client.set(keys.identity, "something else")
    with pytest.raises(CatalogueLost, match=r"replaced by one of another type\. Run `segue-indexer verify"):
        redis_store.identity()


def test_a_stream_of_another_program(redis_store: RedisStore, client: Redis, keys: RedisKeys) -> None:
    """A key of another type in place of the stream is an error, not an empty catalogue."""
    client.set(keys.events, "something else")
    with pytest.raises(CatalogueLost, match=r"replaced by one of another type"):
        redis_store.revision()


def test_a_redis_that_restarted(client: Redis) -> None:
    """A server that no longer knows a script has restarted during the call; the sentence says so."""
    with (
        pytest.raises(StoreUnavailable, match=r"redis://here was restarted .* full disk"),
        translating_errors("redis://here"),
    ):
        client.evalsha("0" * 40, 0)


def test_a_redis_that_is_full(private_redis: PrivateRedis, redis_store: RedisStore, client: Redis) -> None:
    """A transaction that does not fit into memory changes nothing, and the next one succeeds."""
    with redis_store.writer(*MODEL) as writer:
        client.config_set("maxmemory", 1)
        try:
            with pytest.raises(StoreUnavailable, match="is full"):
                writer.add([addition(1)])
        finally:
            client.config_set("maxmemory", 0)
        assert (0, 0) == (redis_store.count(), redis_store.revision())
        assert 1 == writer.add([addition(1)])


@pytest.mark.parametrize("program", ["valkey", "redis"])
def test_a_redis_that_cannot_write_its_dump(program: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """A server that refuses writes after a failed dump has a disk problem: Valkey 9.1 and Redis 7.0 reply MISCONF."""
    binary = request.getfixturevalue("redis_program") if program == "redis" else None
    (tmp_path / "dump.rdb").mkdir()  # in place of the file
    with (
        open_private_redis(tmp_path, binary) as redis,
        closing(Redis.from_url(redis.url, protocol=2)) as client,
        closing(RedisStore(redis.url)) as store,
    ):
        client.config_set("save", "3600 1")
        client.bgsave()
        wait_until(lambda: client.info("persistence")["rdb_last_bgsave_status"] == "err")
        with pytest.raises(StoreUnavailable) as error, store.writer(*MODEL):
            pass
        version = version_of(client)
    assert "cannot write to its disk (MISCONF" in str(error.value), f"{version} reports a failed dump otherwise"


@pytest.mark.parametrize("program", ["valkey", "redis"])
def test_a_user_without_a_right(program: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """A command that the user may not run is named, also one in a script by Valkey, and the page with the rights."""
    binary = request.getfixturevalue("redis_program") if program == "redis" else None
    with open_private_redis(tmp_path, binary) as redis, closing(Redis.from_url(redis.url, protocol=2)) as client:
        client.execute_command("ACL", "SETUSER", "few", "on", ">secret", "~*", "+@all", "-hset", "-zcard")  # type: ignore[no-untyped-call]
        with closing(RedisStore(f"{redis.url}?username=few&password=secret")) as store:
            with pytest.raises(StoreUnavailable, match=r"does not permit .*'zcard'.*docs/operations\.md"):
                store.count()
            in_script = "'hset'.*" if program == "valkey" else ""
            with (
                pytest.raises(StoreUnavailable, match=rf"does not permit .*{in_script}docs/operations\.md"),
                store.writer(*MODEL),
            ):
                pass


@contextmanager
def cluster_node(program: Path, folder: Path) -> Iterator[Any]:
    """Starts a node of a Redis Cluster, which has no slots yet, and yields a client of it."""
    folder.mkdir()
    port, bus = free_port(), free_port()
    options = ("--cluster-enabled", "yes", "--port", port, "--cluster-port", bus, "--save", "", "--dir", folder)
    with subprocess.Popen([program, *map(str, options)], stdout=subprocess.DEVNULL) as process:
        client: Any = Redis(port=port, protocol=2)
        try:
            wait_until(lambda: answers(client))
            client.execute_command("CONFIG", "SET", "cluster-require-full-coverage", "no")
            yield client
        finally:
            client.close()
            ended(process)


def answers(client: Redis) -> bool:
    """Returns whether a server answers."""
    try:
        return bool(client.ping())
    except RedisError:
        return False


def is_up(client: Any) -> bool:  # noqa: ANN401 - redis-py types its replies for all protocols at once
    """Returns whether a node knows all slots and serves its own."""
    info = client.execute_command("CLUSTER INFO")
    return ("16384", "ok") == (info["cluster_slots_ok"], info["cluster_state"])


def port_of(client: Any) -> int:  # noqa: ANN401 - likewise
    """Returns the port of a server."""
    return int(client.config_get("port")["port"])


def test_a_node_of_a_redis_cluster(redis_program: Path, tmp_path: Path) -> None:
    """A node that has no slots, that names another node, or that refuses keys of two slots: Segue needs no cluster."""
    with cluster_node(redis_program, tmp_path / "a") as first, cluster_node(redis_program, tmp_path / "b") as second:
        address = f"redis://127.0.0.1:{port_of(first)}"
        with closing(RedisStore(address)) as store:
            with pytest.raises(StoreUnavailable, match=r"node of a Redis Cluster \(.*not served.*needs one Redis"):
                store.identity()
            first.execute_command("CLUSTER ADDSLOTSRANGE", 0, 99)
            second.execute_command("CLUSTER ADDSLOTSRANGE", 100, 16383)
            bus = second.config_get("cluster-port")["cluster-port"]
            first.execute_command("CLUSTER MEET", "127.0.0.1", port_of(second), bus)
            wait_until(lambda: is_up(first))
            with pytest.raises(StoreUnavailable, match=rf"node of a Redis Cluster .*{port_of(second)}"):
                store.state()
        with pytest.raises(StoreUnavailable, match="node of a Redis Cluster"), translating_errors(address):
            first.mget("a", "b")
        with (
            closing(RedisStore(f"{address}/1")) as store,
            pytest.raises(StoreUnavailable, match="node of a Redis Cluster"),
        ):
            store.ping()
