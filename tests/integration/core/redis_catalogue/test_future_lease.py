"""A lease that was dated by a clock that went back afterwards: it is believed for one lease, by the clock of Redis."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from functools import partial

import pytest
from redis import Redis

from segue.core.errors import CatalogueLocked
from segue.core.redis_catalogue.keys import RedisKeys
from segue.core.redis_catalogue.private.server import PrivateRedis
from segue.core.redis_catalogue.store import RedisStore
from tests.helpers.catalogue.tracks import MODEL, addition, can_write
from tests.helpers.machine.waiting import wait_until

LEASE_SECONDS = 1.0
HOUR_MS = 3_600_000


@pytest.fixture
def store(private_redis: PrivateRedis, keys: RedisKeys) -> Iterator[RedisStore]:
    """A catalogue whose writers have a short lease."""
    with closing(RedisStore(private_redis.url, keys, LEASE_SECONDS)) as store:
        yield store


def jump_back(client: Redis, keys: RedisKeys) -> None:
    """Dates the lease as if the clock of Redis had gone back by an hour since it was written."""
    client.hset(keys.writer, "until", int(client.hget(keys.writer, "until") or 0) + HOUR_MS)


@pytest.mark.parametrize("with_length", [True, False], ids=["this version", "an earlier version"])
def test_a_dead_writer_elsewhere_is_replaced_after_one_lease(
    store: RedisStore, client: Redis, keys: RedisKeys, with_length: bool
) -> None:
    """It is unknown whether it runs, so the next writer waits, but not for an hour."""
    with store.writer(*MODEL):
        pass
    later = round(time.time() * 1000) + HOUR_MS
    client.hset(keys.writer, mapping={"place": "elsewhere", "host": "far-away", "until": later})
    if not with_length:
        client.hdel(keys.writer, "lease")
    with pytest.raises(CatalogueLocked, match="on far-away"), store.writer(*MODEL):
        pass

    wait_until(partial(can_write, store))


def test_a_writer_at_work_keeps_its_lock(store: RedisStore, client: Redis, keys: RedisKeys) -> None:
    """After the clock has gone back, it renews its lease, and no other writer gets in."""
    with store.writer(*MODEL) as writer:
        jump_back(client, keys)
        end = time.monotonic() + 2.5 * LEASE_SECONDS
        while time.monotonic() < end:
            with pytest.raises(CatalogueLocked), store.writer(*MODEL):
                pass
            time.sleep(0.05)
        assert 1 == writer.add([addition(1)])


@pytest.mark.parametrize("until", ["", "x", "nan", "inf", "1e400"])
def test_a_damaged_end_of_a_lease(store: RedisStore, client: Redis, keys: RedisKeys, until: str) -> None:
    """Whatever another program wrote there, a writer gets in after one lease at most."""
    with store.writer(*MODEL):
        pass
    client.hset(keys.writer, mapping={"place": "elsewhere", "until": until})

    wait_until(partial(can_write, store))
