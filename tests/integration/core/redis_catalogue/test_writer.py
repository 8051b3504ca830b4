"""Transactions on the catalogue over a connection that fails, or on a stream that another program changes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from redis import Redis

from segue.core.errors import CatalogueLocked
from segue.core.redis_catalogue.keys import RedisKeys
from segue.core.redis_catalogue.private.server import PrivateRedis
from segue.core.redis_catalogue.store import RedisStore
from tests.helpers.catalogue.redis_proxy import RedisProxy, redis_proxy
from tests.helpers.catalogue.tracks import MODEL, addition, additions, track_id

# The request that runs a script. The server knows each script once another writer has used it.
RUN_SCRIPT = b"EVALSHA"


@pytest.fixture
def proxy(private_redis: PrivateRedis, tmp_path: Path) -> Iterator[RedisProxy]:
    """A connection to the private Redis that can be interfered with."""
    with redis_proxy(tmp_path / "proxy.sock", Path(private_redis.url.removeprefix("unix://"))) as proxy:
        yield proxy


@pytest.fixture
def store(redis_store: RedisStore, proxy: RedisProxy, keys: RedisKeys) -> Iterator[RedisStore]:
    """A catalogue of one track, over that connection; its writers renew no lease during a test."""
    with redis_store.writer(*MODEL) as writer:
        writer.add([addition(0)])
    with closing(RedisStore(proxy.url, keys, lease=600)) as store:
        yield store


def test_a_lock_whose_reply_was_lost(store: RedisStore, proxy: RedisProxy, client: Redis, keys: RedisKeys) -> None:
    """A writer that asks for the lock again gets the token that it has already."""
    proxy.lose_reply(RUN_SCRIPT)
    with store.writer(*MODEL) as writer:
        assert proxy.has_interfered
        assert b"2" == client.hget(keys.writer, "number")
        assert 2 == writer.add([addition(1)])


def test_a_transaction_whose_reply_was_lost(store: RedisStore, proxy: RedisProxy) -> None:
    """A transaction that is sent again is carried out once."""
    with store.writer(*MODEL) as writer:
        proxy.lose_reply(RUN_SCRIPT)
        assert 2 == writer.add([addition(1)])
        assert proxy.has_interfered
        assert 3 == writer.add([addition(2)])
    assert (3, 3) == (store.count(), store.revision())


def test_a_switch_whose_reply_was_lost(store: RedisStore, proxy: RedisProxy) -> None:
    """A staged catalogue takes the other one's place, also when the command is sent again."""
    with store.writer(*MODEL) as writer:
        with store.staging() as staging, staging.writer(*MODEL) as staging_writer:
            staging_writer.add(additions(7, 8))
            writer.switch(staging_writer)  # so that the server knows the script
        with store.staging() as staging, staging.writer(*MODEL) as staging_writer:
            staging_writer.add([addition(9)])
            proxy.lose_reply(RUN_SCRIPT)
            writer.switch(staging_writer)
        assert proxy.has_interfered
        assert 2 == writer.add([addition(10)])
    assert [track_id(9), track_id(10)] == store.track_ids("", 10)


def test_a_catalogue_that_changed_meanwhile(
    store: RedisStore, proxy: RedisProxy, client: Redis, keys: RedisKeys
) -> None:
    """A transaction is refused if the stream is not at the revision that it was planned for."""
    with store.writer(*MODEL) as writer:
        proxy.run_before(RUN_SCRIPT, lambda: client.xadd(keys.events, {"kind": "add", "track": "x"}, id="5-0"))
        with pytest.raises(CatalogueLocked, match="or has others"):
            writer.add([addition(1)])
    assert 1 == store.count()
