"""Real servers and empty catalogues for the tests of the store.

No test flushes a database: each has a catalogue of its own name on a server that the tests started themselves.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from segue.core.redis_catalogue.keys import RedisKeys
from segue.core.redis_catalogue.private_server import PrivateRedis, open_private_redis
from segue.core.redis_catalogue.store import RedisStore


@pytest.fixture(scope="session")
def local_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateRedis]:
    """The server that comes with Segue."""
    with open_private_redis(tmp_path_factory.mktemp("valkey")) as local:
        yield local


@pytest.fixture(scope="session")
def redis_server() -> Path:
    """The program of a Redis from elsewhere; skips where there is none."""
    found = shutil.which("redis-server")
    if found is None:
        pytest.skip("no redis-server on the PATH: install it to test against it")
    return Path(found)


@pytest.fixture(scope="session")
def other_redis(redis_server: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateRedis]:
    """A Redis from elsewhere."""
    with open_private_redis(tmp_path_factory.mktemp("redis"), redis_server) as local:
        yield local


@pytest.fixture
def keys() -> RedisKeys:
    """The keys of a catalogue that no one else has."""
    return RedisKeys(uuid.uuid4().hex)


@pytest.fixture
def redis_store(local_redis: PrivateRedis, keys: RedisKeys) -> Iterator[RedisStore]:
    """An empty catalogue."""
    store = RedisStore(local_redis.url, keys)
    yield store
    store.close()
