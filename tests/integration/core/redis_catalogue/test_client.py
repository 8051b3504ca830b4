"""The sentences in which real servers' errors reach the user."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from redis import Redis

from segue.core.errors import StoreUnavailable
from segue.core.redis_catalogue.client import translating_errors
from segue.core.redis_catalogue.keys import RedisKeys
from segue.core.redis_catalogue.private_server import PrivateRedis, open_private_redis
from segue.core.redis_catalogue.store import RedisStore
from tests.helpers.catalogue.tracks import MODEL, addition
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
    with pytest.raises(StoreUnavailable, match=r"refuses a command .*WRONGTYPE"):
        redis_store.identity()


def test_a_stream_of_another_program(redis_store: RedisStore, client: Redis, keys: RedisKeys) -> None:
    """A key of another type in place of the stream is an error, not an empty catalogue."""
    client.set(keys.events, "something else")
    with pytest.raises(StoreUnavailable, match=r"refuses a command .*WRONGTYPE"):
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
